"""Generation accuracy on a grammar: validity, diversity, and where errors occur."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from physlm.data.corpus import require_at_least
from physlm.eval.cfg.requirements import require_cfg, require_prefix, require_room, require_strings
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_temperature
from physlm.measurement import Measurement, Metric
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "cfg_accuracy")
@dataclass(kw_only=True, slots=True)
class CfgAccuracyConfig(ScorerConfig):
    """Fraction of generated strings in the language, from scratch and from valid prefixes.

    A string is valid if the model ends it and the whole string, prefix included, is in the
    language. A string not ended within the grammar's maximum length, or the model's window, is
    invalid.

    Source:
        Physics of Language Models, Part 1, section 3 (cut 0 and 50, temperature 1, no top-k).
    """

    n_samples: int = 2000  # 20,000 in the paper
    prefixes: list[int] = field(
        default_factory=lambda: [0, 50]
    )  # tokens of a valid string that are given
    temperature: float = 1.0  # of sampling; 0: greedy
    batch_size: int = 500  # strings generated at once
    n_curve_samples: int = 200  # number when measured during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_samples", "batch_size", "n_curve_samples")
        if not self.prefixes or min(self.prefixes) < 0:
            raise ValueError(f"prefixes={self.prefixes}; must be one or more lengths of at least 0")
        if len(set(self.prefixes)) < len(self.prefixes):
            raise ValueError(f"prefixes={self.prefixes}; name each length once")
        require_temperature(self.temperature)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model generates, and strings are longer than the longest prefix."""
        corpus = require_cfg("cfg_accuracy", corpus)
        require_causal("cfg_accuracy", model, "does not generate; use eval=cfg_probing")
        require_room(model, corpus.grammar.length_distribution)
        name = f"eval.cfg_accuracy.prefixes={self.prefixes}"
        require_prefix(name, model, corpus.grammar, max(self.prefixes))
        require_strings(
            "cfg_accuracy",
            model,
            corpus,
            ["beginnings", "1"],
            n_samples=self.n_samples,
            n_curve_samples=self.n_curve_samples,
        )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy and errors for every prefix length; diversity of strings from scratch."""
        return Measurement(tuple(self._measured(model, corpus, self.n_samples, is_whole=True)))

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """Accuracy alone, on fewer strings."""
        return self._measured(model, corpus, self.n_curve_samples, is_whole=False)

    def _measured(
        self, model: "LanguageModel", corpus: "Corpus", n: int, *, is_whole: bool
    ) -> list[Metric]:
        from physlm.eval.cfg.generation import sampled_prefixes, write
        from physlm.eval.cfg.output import diversity_metrics, error_metrics

        corpus = require_cfg("cfg_accuracy", corpus)
        metrics = []
        for prefix in self.prefixes:
            prompts = list(sampled_prefixes(corpus, n, prefix))
            written = write(
                model,
                corpus,
                prompts,
                prompts,
                n_new=corpus.grammar.longest - prefix + 1,
                temperature=self.temperature,
                batch_size=self.batch_size,
            )
            is_valid = written.is_valid(corpus.grammar)
            metrics.append(mean("cfg/accuracy", is_valid, "fraction", split="test", prefix=prefix))
            if is_whole:
                is_cut = ~written.is_ended
                metrics.append(
                    mean("cfg/unfinished", is_cut, "fraction", split="test", prefix=prefix)
                )
                metrics += error_metrics(corpus.grammar, written, is_valid, prefix)
            if is_whole and prefix == 0 and self.temperature == 1:
                metrics += diversity_metrics(model, corpus, written, self.batch_size)
        return metrics
