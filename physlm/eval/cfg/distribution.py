"""Distance between a model's next-token distribution and the true one: loss, floor, and KL."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from physlm.data.corpus import require_at_least
from physlm.eval.cfg.requirements import fitting, require_cfg, require_room, require_strings
from physlm.eval.scorer import ScorerConfig, require_causal
from physlm.measurement import Measurement, Metric
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "cfg_distribution")
@dataclass(kw_only=True, slots=True)
class CfgDistributionConfig(ScorerConfig):
    """Loss on fresh strings with its exact floor, and KL from the true next-token distribution.

    The floor is the loss of the true distribution on the same strings, so that sampling noise
    cancels in their difference. KL is averaged over the positions of a string, its end included,
    then over strings.

    Source:
        Physics of Language Models, Part 1, section 3 (KL-divergence); the oracle is exact here.
    """

    n_strings: int = 1000  # fresh strings to measure
    batch_size: int = 100  # strings per forward pass
    n_curve_strings: int = 100  # number when measured during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_strings", "batch_size", "n_curve_strings")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model is causal, and its window holds most strings."""
        corpus = require_cfg("cfg_distribution", corpus)
        require_causal("cfg_distribution", model, "predicts no next token; use eval=cfg_probing")
        require_room(model, corpus.grammar.length_distribution)
        require_strings(
            "cfg_distribution",
            model,
            corpus,
            ["distribution"],
            n_strings=self.n_strings,
            n_curve_strings=self.n_curve_strings,
        )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Loss, floor, their ratio, and KL."""
        return Measurement(tuple(self._measured(model, corpus, self.n_strings)))

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """Excess loss and KL, on fewer strings."""
        measured = self._measured(model, corpus, self.n_curve_strings)
        return [m for m in measured if m.name in {"cfg/excess_loss_nats", "cfg/kl_nats"}]

    def _measured(self, model: "LanguageModel", corpus: "Corpus", n: int) -> list[Metric]:
        from physlm.eval.cfg.scores import distribution_metrics

        corpus = require_cfg("cfg_distribution", corpus)
        strings = fitting(model, corpus.measured(n, "distribution"))
        return distribution_metrics(model, corpus, strings, self.batch_size)
