"""Whether attention runs from subtree end to subtree end, as in a parser's dynamic programme."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.attention_statistics import (
    MOST_APART,
    OFFSETS,
    AttentionStatistics,
    attention_of,
    attention_statistics,
)
from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.data.corpus import Corpus, require_at_least
from physlm.errors import InputError
from physlm.eval.cfg_distribution import (
    fitting,
    require_cfg,
    require_inner_levels,
    require_room,
    require_strings,
)
from physlm.eval.scorer import ScorerConfig, require_causal
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register

_CENTRE = OFFSETS.index(0)
_DISTANCES = (0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256)


@register("eval", "cfg_attention")
@dataclass(kw_only=True, slots=True)
class CfgAttentionConfig(ScorerConfig):
    """Attention by distance, and what of it the distance does not explain, at boundaries.

    Metrics are means over layers and heads; the peaks sum them up, each as a difference that is
    above 0 if the paper's pattern is there.

    Source:
        Physics of Language Models, Part 1, results 6 to 9.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("attention", "attention_over_derivation")

    n_strings: int = 100

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_strings")

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """The grammar has levels between root and terminals, and the model shows its attention."""
        corpus = require_cfg("cfg_attention", corpus)
        require_inner_levels("cfg_attention", corpus.grammar)
        require_causal("cfg_attention", model, "attends to both sides")
        require_room(model, corpus.grammar.length_distribution)
        require_strings("cfg_attention", model, corpus, ["attention"], n_strings=self.n_strings)
        if not model.shows("attention_patterns"):
            raise InputError(f"eval=cfg_attention: {type(model).__name__} shows no attention")

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Every mean, and the peaks."""
        assert isinstance(corpus, CfgCorpus)
        return attention_metrics(attention_statistics(model, corpus, self._strings(model, corpus)))

    def figures(self, model: LanguageModel, corpus: Corpus) -> dict[str, Figure]:
        """Heat maps of the means, and attention over one string below its derivation."""
        assert isinstance(corpus, CfgCorpus)
        strings = self._strings(model, corpus)
        shortest = strings.chosen(np.arange(len(strings)) == strings.lengths.argmin())
        maps = next(attention_of(model, corpus, shortest))
        return {
            "attention": draw_statistics(attention_statistics(model, corpus, strings)),
            "attention_over_derivation": draw_string(corpus, shortest, maps.mean(axis=(0, 1))),
        }

    def _strings(self, model: LanguageModel, corpus: CfgCorpus) -> Strings:
        return fitting(model, corpus.measured(self.n_strings, "attention", derivations=True))


def attention_metrics(found: AttentionStatistics) -> list[Metric]:
    """The means over layers and heads, and the peaks, as metrics; what has no pairs is left out."""
    by_distance = found.by_distance.mean(axis=(0, 1))
    boundary, ends = found.at_boundary.mean(axis=(0, 1)), found.end_to_end.mean(axis=(0, 1))
    adjacent = found.adjacent.mean(axis=(0, 1))
    inner = range(len(boundary))
    values = {
        f"distance_{d}": by_distance[d] for d in _DISTANCES if d < len(by_distance)
    } | {
        f"boundary/NT{v + 2}/offset_{offset}": boundary[v, o]
        for v in inner for o, offset in enumerate(OFFSETS)
    } | {
        f"end_to_end/NT{q + 2}_to_NT{k + 2}": ends[q, _CENTRE, k, _CENTRE]
        for q in inner for k in inner
    } | {
        f"adjacent/NT{q + 2}_to_NT{k + 2}/apart_{r}": adjacent[q, k, r]
        for q in inner for k in inner for r in range(MOST_APART + 1)
    } | peaks(boundary, ends, adjacent)  # fmt: skip
    return [
        Metric(name=f"attention/{name}", value=float(value), unit="attention", n=found.n_strings,
               split="test")
        for name, value in values.items() if np.isfinite(value)
    ]  # fmt: skip


def peaks(
    boundary: Float[np.ndarray, "levels offsets"],
    ends: Float[np.ndarray, "levels offsets levels offsets"],
    adjacent: Float[np.ndarray, "levels levels apart"],
) -> dict[str, float]:
    """Each pattern as one difference, a mean over levels.

    At boundaries: keys there minus keys beside. From end to end: both at ends minus one or both
    beside. Adjacent: the nearest end of a level minus the next.
    """
    beside = np.delete(boundary, _CENTRE, axis=1).mean(axis=1)
    centre = ends[:, _CENTRE, :, _CENTRE]
    n_others = len(OFFSETS) ** 2 - 1
    around = (ends.sum(axis=(1, 3)) - centre) / n_others
    nearest, following = _two_nearest(adjacent)
    differences = {
        "boundary_peak": boundary[:, _CENTRE] - beside,
        "end_to_end_peak": centre - around,
        "adjacent_peak": nearest - following,
    }
    return {
        name: float(np.nanmean(values))
        for name, values in differences.items()
        if np.isfinite(values).any()
    }


def _two_nearest(
    adjacent: Float[np.ndarray, "levels levels apart"],
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """For every pair of levels that has two, the means at the smallest numbers apart."""
    rows = [row[np.isfinite(row)] for row in adjacent.reshape(-1, adjacent.shape[-1])]
    pairs = np.array([row[:2] for row in rows if len(row) > 1]).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def draw_statistics(found: AttentionStatistics) -> Figure:
    """By distance, at boundaries, from end to end, and by subtrees apart."""
    figure = Figure(figsize=(13, 3.4), layout="constrained")
    distance, boundary, ends, adjacent = figure.subplots(1, 4)
    curves = found.by_distance.reshape(-1, found.by_distance.shape[-1])
    for curve in curves:
        distance.loglog(np.arange(1, len(curve) + 1), np.maximum(curve, 1e-6), linewidth=0.8)
    distance.set(xlabel="distance + 1", ylabel="mean attention", title="every head, by distance")
    names = [f"NT{v + 2}" for v in range(found.at_boundary.shape[2])]
    for row, name in zip(found.at_boundary.mean(axis=(0, 1)), names, strict=True):
        boundary.plot(OFFSETS, row, marker="o", label=name)
    boundary.set(xlabel="offset from a subtree's end", title="beyond the distance")
    boundary.legend(fontsize="small")
    centre = found.end_to_end.mean(axis=(0, 1))[:, _CENTRE, :, _CENTRE]
    _draw_matrix(ends, centre, names, "from end to end")
    _draw_adjacent(adjacent, found.adjacent.mean(axis=(0, 1)))
    return figure


def _draw_matrix(
    axes: Axes, values: Float[np.ndarray, "levels levels"], names: list[str], title: str
) -> None:
    largest = np.nanmax(np.abs(values))
    image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="key's level", ylabel="query's level", title=title)
    axes.figure.colorbar(image, ax=axes, shrink=0.8)


def _draw_adjacent(axes: Axes, adjacent: Float[np.ndarray, "levels levels apart"]) -> None:
    """A curve for each pair of levels, bold where the levels are the same."""
    for q, rows in enumerate(adjacent):
        for k, row in enumerate(rows):
            is_same = q == k
            label = f"NT{q + 2}" if is_same else None
            axes.plot(range(len(row)), row, marker=".", label=label, color=f"C{q}",
                      alpha=1.0 if is_same else 0.3, linewidth=2 if is_same else 1)  # fmt: skip
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="subtrees apart (key's level)", title="between ends")
    axes.legend(fontsize="small", title="query and key")


def draw_string(corpus: CfgCorpus, string: Strings, maps: Float[np.ndarray, "seq seq"]) -> Figure:
    """The derivation of one string as a tree of blocks, and below it attention, query by key."""
    assert string.derivations is not None
    figure = Figure(figsize=(9, 10), layout="constrained")
    tree, matrix = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    n_levels = len(corpus.grammar.levels)
    for level in range(n_levels):
        _draw_level(tree, corpus, string, level)
    tree.set_yticks(range(n_levels), [f"level {n + 1}" for n in range(n_levels)])
    tree.set_ylim(n_levels - 0.5, -0.5)
    matrix.imshow(np.log10(np.maximum(maps, 1e-4)), cmap="magma", aspect="auto")
    ends = np.flatnonzero(string.derivations.deepest_boundary)
    for end in ends[string.derivations.deepest_boundary[ends] < n_levels - 1]:
        matrix.axvline(end + 0.5, color="white", linewidth=0.3)
    matrix.set(xlabel="key", ylabel="query", title="attention, mean over layers and heads (log10)")
    return figure


def _draw_level(axes: Axes, corpus: CfgCorpus, string: Strings, level: int) -> None:
    truth = string.derivations
    assert truth is not None
    begin = 0
    symbols = corpus.grammar.levels[level]
    for end in np.flatnonzero(truth.is_boundary[level]) + 1:
        symbol = int(truth.ancestors[level, begin])
        colour = f"C{symbols.index(symbol) % 10}"
        axes.barh(level, end - begin, left=begin - 0.5, color=colour, edgecolor="white", height=0.9)
        if end - begin >= 3:
            name = corpus.grammar.rules.name(symbol)
            axes.text((begin + end - 1) / 2, level, name, ha="center", va="center", fontsize=6)
        begin = int(end)
