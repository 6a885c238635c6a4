"""Attention between subtree ends, as in a dynamic-programming parser."""

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
    """Attention by distance, and at subtree boundaries after the effect of distance is removed.

    Metrics are means over layers and heads. Each peak summarises a pattern by one difference, which
    is positive if the paper's pattern is present. The arrays hold every layer and head, and the
    attention on one string with its derivation.

    Source:
        Physics of Language Models, Part 1, results 6 to 9.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("attention", "attention_over_derivation")

    n_strings: int = 100  # fresh strings to measure

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_strings")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The grammar has inner levels, and the model exposes its attention."""
        corpus = require_cfg("cfg_attention", corpus)
        require_inner_levels("cfg_attention", corpus.grammar)
        require_causal("cfg_attention", model, "attends to both sides")
        require_room(model, corpus.grammar.length_distribution)
        require_strings("cfg_attention", model, corpus, ["attention"], n_strings=self.n_strings)
        if not model.shows("attention_patterns"):
            raise InputError(
                "eval=cfg_attention: this model has no attention patterns; use a decoder"
            )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """All means and peaks, and the attention on the shortest string."""
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
        """Plots of the means, and attention on one string below its derivation."""
        from physlm.analysis.attention_figure import draw_statistics, draw_string

        return {
            "attention": draw_statistics(measurement.arrays),
            "attention_over_derivation": draw_string(measurement.arrays),
        }
