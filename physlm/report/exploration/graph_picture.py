"""The picture of one attention graph: arcs, traces of the growing text, and its eigenvalues."""

from collections.abc import Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.depth.token_text import shortened
from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.graph_panels import (
    draw_arcs,
    draw_eigenvalue_histogram,
    draw_sorted_eigenvalues,
    draw_traces,
)
from physlm.analysis.spectra.options import GraphOptions
from physlm.report.exploration.text_graph import TRACED, TextGraphs

_LONGEST = 12  # characters of a token
_UPRIGHT = 2  # characters that stand side by side
_LEAST = 0.05  # weight of the lightest edge drawn, over that of the heaviest
_WIDTHS = (9.0, 60.0)  # inches


def draw_text_graph(
    graphs: TextGraphs,
    grown: pl.DataFrame,
    texts: Sequence[str],
    layer: int,
    head: int,
    marked: int | None = None,
) -> Figure:
    """The graph of one layer and head.

    Args:
        graphs: Of the text.
        grown: Of ``traces``, for that layer and head.
        texts: Visible text of each token.
        layer: The layer.
        head: The head; -1 for the mean of all.
        marked: A token to mark in the traces.
    """
    least, most = _WIDTHS
    width = min(max(least, 0.19 * len(texts) + 1.5), most)
    figure = Figure(figsize=(width, 10), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[3, 1])[:, 0]
    names = ("log_probability", *TRACED)
    arcs, *panels = upper.subplots(
        1 + len(names), 1, sharex=True, height_ratios=[4, *[1] * len(names)]
    )
    weights = graph_of(graphs.maps[layer, head], GraphOptions()).weights
    points = draw_arcs(arcs, weights.numpy(), graphs.fiedler[layer, head].numpy(), _LEAST)
    name = "mean of heads" if head < 0 else f"head {head}"
    arcs.set_title(f"layer {layer}, {name}: edges of at least {_LEAST:.0%} of the heaviest")
    upper.colorbar(points, ax=arcs, label="Fiedler vector", shrink=0.7, pad=0.01)
    draw_traces(panels, grown, names, marked)
    for axes in (arcs, panels[-1]):
        _name_tokens(axes, [shortened(text, _LONGEST) for text in texts])
    panels[-1].set_xlabel("token")
    ordered, histogram = lower.subplots(1, 2)
    draw_sorted_eigenvalues(ordered, graphs.eigenvalues[layer].numpy(), head)
    draw_eigenvalue_histogram(histogram, graphs.eigenvalues[layer, head].numpy())
    return figure


def _name_tokens(axes: Axes, texts: Sequence[str]) -> None:
    """Tokens below a panel, upright where they are short: an inclined bracket cannot be read."""
    axes.set_xticks(range(len(texts)), list(texts), family="monospace", parse_math=False)
    for label in axes.get_xticklabels():
        is_upright = len(label.get_text()) <= _UPRIGHT
        label.set(rotation=0 if is_upright else 90, fontsize=11 if is_upright else 9)
    axes.tick_params(axis="x", labelbottom=True, length=0, pad=6)
