"""Probing for nonterminals and the ends of their subtrees in models trained on grammars."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from physlm.analysis.reach import Reach
from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.cfg.requirements import (
    fitting,
    require_cfg,
    require_inner_levels,
    require_room,
    require_strings,
)
from physlm.eval.scorer import ScorerConfig
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "cfg_probing")
@dataclass(kw_only=True, slots=True)
class CfgProbingConfig(ScorerConfig):
    """Accuracy of linear probes for the ancestor on each level and for the ends of subtrees.

    Full probes are scored at all positions; diagonal and tridiagonal ones where a subtree of the
    level ends and, as a control, elsewhere. All are also trained on the same architecture with
    random weights; the gain in accuracy over these is due to training.

    Source:
        Physics of Language Models, Part 1, results 4 and 5 (NT6 is the level above the terminals).
    """

    n_train: int = 1000  # strings that probes are trained on
    n_test: int = 300  # strings that probes are tested on
    reaches: list[Reach] = field(default_factory=lambda: [Reach.full, Reach.diagonal])
    n_heads: int = 16  # heads of each probe
    d_position: int = 256  # width of a probe's position vectors, over all heads; 1024 in the paper
    n_steps: int = 300  # optimizer steps of each probe; 30,000 in the paper
    batch_size: int = 60  # strings per step

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 2, "n_train", "n_test")
        require_at_least(self, 1, "n_heads", "d_position", "n_steps", "batch_size")
        if not self.reaches:
            raise ValueError("reaches=[]; name at least one of full, diagonal, tridiagonal")
        if len(set(self.reaches)) < len(self.reaches):
            raise ValueError(f"reaches={[r.value for r in self.reaches]}; name each once")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The grammar has inner levels, and the model's window holds most strings."""
        corpus = require_cfg("cfg_probing", corpus)
        require_inner_levels("cfg_probing", corpus.grammar)
        require_room(model, corpus.grammar.length_distribution)
        for part, n in (("train", self.n_train), ("test", self.n_test)):
            require_strings("cfg_probing", model, corpus, ["probing", part], **{f"n_{part}": n})
        for method in ("hidden_states", "untrained"):
            if not model.shows(method):
                raise InputError(f"eval=cfg_probing: this model has no {method}; use another model")

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracies of the trained and the untrained model, and their differences."""
        from physlm.analysis.cfg_probes import compared_metrics, probed
        from physlm.analysis.probing import ProbeRecipe

        corpus = require_cfg("cfg_probing", corpus)
        train, test = (
            fitting(model, corpus.measured(n, "probing", name, derivations=True))
            for n, name in ((self.n_train, "train"), (self.n_test, "test"))
        )
        recipe = ProbeRecipe(
            n_heads=self.n_heads,
            d_position=self.d_position,
            n_steps=self.n_steps,
            batch_size=self.batch_size,
        )
        trained, untrained = (
            probed(subject, corpus, train, test, self.reaches, recipe)
            for subject in (model, model.untrained(corpus.seed).eval())
        )
        found = (
            compared_metrics(trained[reach], untrained[reach], test, corpus, reach)
            for reach in self.reaches
        )
        return Measurement(tuple(metric for metrics in found for metric in metrics))
