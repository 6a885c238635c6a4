"""Panels of one graph over the tokens of a text: arcs, eigenvalues, values while it grows."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgba

_HALF_CIRCLE = np.linspace(0, np.pi, 40)
_WIDEST = 6.0  # points, of the heaviest edge
_SIGNED = LinearSegmentedColormap.from_list("signed", ["#c2570c", "white", "#1659a8"])


def draw_arcs(
    axes: Axes,
    weights: Float[np.ndarray, "tokens tokens"],
    vector: Float[np.ndarray, " tokens"],
    least_share: float,
) -> PathCollection:
    """Tokens on a line, an arc for each edge with its weight as width, a colour for each token.

    Args:
        axes: The panel.
        weights: Symmetric edge weights, without self loops.
        vector: What colours the tokens, such as the Fiedler vector.
        least_share: Weight of the lightest edge that is drawn, over that of the heaviest.
    """
    n = len(weights)
    i, j = np.tril_indices(n, -1)
    edge = weights[i, j]
    share = edge / max(float(edge.max()), 1e-30)
    order = [e for e in np.argsort(share) if share[e] >= least_share]
    centre, radius = (i + j) / 2, (i - j) / 2
    arcs = [
        np.column_stack(
            [centre[e] + radius[e] * np.cos(_HALF_CIRCLE), radius[e] * np.sin(_HALF_CIRCLE)]
        )
        for e in order
    ]
    colours = [to_rgba("0.25", 0.15 + 0.65 * share[e]) for e in order]
    axes.add_collection(
        LineCollection(arcs, linewidths=0.3 + _WIDEST * share[order], colors=colours)
    )
    largest = max(float(np.abs(vector).max()), 1e-30)
    points = axes.scatter(
        range(n), np.zeros(n), c=vector, cmap=_SIGNED, vmin=-largest, vmax=largest, zorder=3, s=45
    )
    points.set(edgecolor="black", linewidth=0.7, clip_on=False)
    axes.set(xlim=(-0.6, n - 0.4), ylim=(0, 0.52 * n), yticks=[])
    axes.spines[["left", "right", "top", "bottom"]].set_visible(False)
    return points


def draw_sorted_eigenvalues(
    axes: Axes, values: Float[np.ndarray, "graphs tokens"], chosen: int
) -> None:
    """Eigenvalues of several graphs in ascending order, one of them thick.

    Args:
        axes: The panel.
        values: Eigenvalues, ascending.
        chosen: Index of the thick one.
    """
    numbers = np.arange(1, values.shape[1] + 1)
    for own in np.delete(values, chosen % len(values), axis=0):
        axes.plot(numbers, own, color="0.7", linewidth=0.8)
    axes.plot(numbers, values[chosen], color="C0", linewidth=2)
    axes.axhline(1, color="black", linewidth=0.5, linestyle=":")
    axes.set(xlabel="k", ylabel=r"$\lambda_k$", title="eigenvalues (grey: other heads)")


def draw_eigenvalue_histogram(axes: Axes, values: Float[np.ndarray, " tokens"]) -> None:
    """Histogram of the eigenvalues of a symmetric normalised Laplacian, in [0, 2]."""
    axes.hist(values, bins=np.linspace(0, 2, 41).tolist(), color="C0")
    axes.axvline(1, color="black", linewidth=0.5, linestyle=":")
    axes.set(xlabel=r"$\lambda$", ylabel="eigenvalues", title="histogram")


def draw_traces(
    panels: Sequence[Axes], values: pl.DataFrame, names: Sequence[str], marked: int | None = None
) -> None:
    """Values after each token of a growing text, one panel for each name.

    Args:
        panels: As many as names.
        values: Columns ``position`` and those named; null where not defined.
        names: Columns, such as ``fiedler`` or ``log_probability``.
        marked: A position to mark, such as that of the first error.
    """
    for axes, name in zip(panels, names, strict=True):
        axes.plot(values["position"], values[name].cast(pl.Float64), marker=".", ms=3, color="C0")
        axes.set_ylabel(name.replace("_", "\n"), fontsize="small")
        axes.tick_params(labelsize="x-small")
        axes.grid(axis="x", linewidth=0.3)
        if marked is not None:
            axes.axvline(marked, color="C3", linewidth=1.2)
