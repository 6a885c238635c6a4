"""Figures of attention in models trained on grammars, from measured arrays."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.attention_statistics import CENTRE, OFFSETS


def draw_statistics(arrays: Mapping[str, np.ndarray]) -> Figure:
    """Attention by distance, to boundaries, between ends, and by number of subtrees apart."""
    figure = Figure(figsize=(13, 3.4), layout="constrained")
    distance, boundary, ends, adjacent = figure.subplots(1, 4)
    curves = arrays["by_distance"].reshape(-1, arrays["by_distance"].shape[-1])
    for curve in curves:
        distance.loglog(np.arange(1, len(curve) + 1), np.maximum(curve, 1e-6), linewidth=0.8)
    distance.set(xlabel="distance + 1", ylabel="mean attention", title="each head, by distance")
    names = [f"NT{v + 2}" for v in range(arrays["at_boundary"].shape[2])]
    for row, name in zip(arrays["at_boundary"].mean(axis=(0, 1)), names, strict=True):
        boundary.plot(OFFSETS, row, marker="o", label=name)
    boundary.set(xlabel="offset from a subtree's end", title="effect of distance removed")
    boundary.legend(fontsize="small")
    centre = arrays["end_to_end"].mean(axis=(0, 1))[:, CENTRE, :, CENTRE]
    _draw_matrix(ends, centre, names, "from subtree end to subtree end")
    _draw_adjacent(adjacent, arrays["adjacent"].mean(axis=(0, 1)))
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
    """One curve per pair of levels, bold for equal levels."""
    for q, rows in enumerate(adjacent):
        for k, row in enumerate(rows):
            is_same = q == k
            label = f"NT{q + 2}" if is_same else None
            axes.plot(
                range(len(row)),
                row,
                marker=".",
                label=label,
                color=f"C{q}",
                alpha=1.0 if is_same else 0.3,
                linewidth=2 if is_same else 1,
            )
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="subtrees apart (key's level)", title="between subtree ends")
    axes.legend(fontsize="small", title="query and key")


def draw_string(arrays: Mapping[str, np.ndarray]) -> Figure:
    """The derivation of one string as a tree of blocks, and below it attention, query by key."""
    figure = Figure(figsize=(9, 10), layout="constrained")
    tree, matrix = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    is_end = arrays["string_is_end"]
    n_levels = len(is_end)
    for level in range(n_levels):
        _draw_level(tree, arrays, level)
    tree.set_yticks(range(n_levels), [f"level {n + 1}" for n in range(n_levels)])
    tree.set_ylim(n_levels - 0.5, -0.5)
    maps = arrays["string_attention"]
    matrix.imshow(np.log10(np.maximum(maps, 1e-4)), cmap="magma", aspect="auto")
    for end in np.flatnonzero(is_end[1:-2].any(axis=0)):
        matrix.axvline(end + 0.5, color="white", linewidth=0.3)
    matrix.set(xlabel="key", ylabel="query", title="attention, mean over layers and heads (log10)")
    return figure


def _draw_level(axes: Axes, arrays: Mapping[str, np.ndarray], level: int) -> None:
    begin = 0
    names, classes = arrays["string_symbols"][level], arrays["string_classes"][level]
    for end in np.flatnonzero(arrays["string_is_end"][level]) + 1:
        colour = f"C{classes[begin] % 10}"
        axes.barh(level, end - begin, left=begin - 0.5, color=colour, edgecolor="white", height=0.9)
        if end - begin >= 3:
            axes.text(
                (begin + end - 1) / 2, level, names[begin], ha="center", va="center", fontsize=6
            )
        begin = int(end)
