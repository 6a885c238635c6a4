"""Whether attention runs from subtree end to subtree end, as in a parser's dynamic programme."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.cfg.requirements import (
    fitting,
    require_cfg,
    require_inner_levels,
    require_room,
    require_strings,
)
from physlm.eval.scorer import ScorerConfig, require_causal
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "cfg_attention")
@dataclass(kw_only=True, slots=True)
class CfgAttentionConfig(ScorerConfig):
    """Attention by distance, and what of it the distance does not explain, at boundaries.

    Metrics are means over layers and heads; the peaks sum them up, each as a difference that is
    above 0 if the paper's pattern is there. Arrays have every layer and head, and the attention
    over one string with its derivation.

    Source:
        Physics of Language Models, Part 1, results 6 to 9.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("attention", "attention_over_derivation")

    n_strings: int = 100

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_strings")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The grammar has levels between root and terminals, and the model shows its attention."""
        corpus = require_cfg("cfg_attention", corpus)
        require_inner_levels("cfg_attention", corpus.grammar)
        require_causal("cfg_attention", model, "attends to both sides")
        require_room(model, corpus.grammar.length_distribution)
        require_strings("cfg_attention", model, corpus, ["attention"], n_strings=self.n_strings)
        if not model.shows("attention_patterns"):
            raise InputError(f"eval=cfg_attention: {type(model).__name__} shows no attention")

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Every mean, and the peaks; of the shortest string attention itself."""
        from physlm.analysis.attention_metrics import attention_metrics
        from physlm.analysis.attention_statistics import attention_statistics
        from physlm.analysis.attention_string import attention_over

        corpus = require_cfg("cfg_attention", corpus)
        measured = corpus.measured(self.n_strings, "attention", derivations=True)
        strings = fitting(model, measured)
        found = attention_statistics(model, corpus, strings)
        shortest = strings.chosen(np.arange(len(strings)) == strings.lengths.argmin())
        arrays = {**found.arrays(), **attention_over(model, corpus, shortest)}
        return Measurement(tuple(attention_metrics(found)), arrays)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Heat maps of the means, and attention over one string below its derivation."""
        from physlm.analysis.attention_figure import draw_statistics, draw_string

        return {
            "attention": draw_statistics(measurement.arrays),
            "attention_over_derivation": draw_string(measurement.arrays),
        }
