"""Probing and attention statistics of a decoder, as in Part 1, figures 6 to 9."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

LEVELS = (2, 3, 4)
ENDS = "attention/end_to_end{{key_level={},query_level={},split=test}}"
OFFSETS = (-2, -1, 0, 1, 2)
PROBES = {
    ("full", "all"): "full, all positions",
    ("diagonal", "ends"): "own state, at ends",
    ("diagonal", "elsewhere"): "own state, elsewhere",
}
DIMS = "level={},positions={},reach={},split=test,target=ancestor"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    probes, attention = figure.subplots(2, 3)
    for axes, (kind, title) in zip(probes, PROBES.items(), strict=True):
        _draw_probes(axes, results, kind, title)
    _draw_boundaries(attention[0], results)
    _draw_end_to_end(attention[1], results)
    _draw_adjacent(attention[2], results)
    return figure


def _draw_probes(axes, results: Results, kind: tuple[str, str], title: str) -> None:
    """Probe accuracy on every level, for the trained model and random weights."""
    reach, positions = kind
    weights = (("accuracy", "trained"), ("untrained_accuracy", "random"))
    for i, (name, label) in enumerate(weights):
        for j, level in enumerate(LEVELS):
            dims = DIMS.format(level, positions, reach)
            values = results.values(f"probe/{name}{{{dims}}}")
            axes.bar(
                j + 0.4 * i, values.mean(), 0.38, color=f"C{i}", label=label if j == 0 else None
            )
            axes.plot([j + 0.4 * i] * len(values), values, "k.", markersize=3)
    axes.axhline(1 / 3, color="grey", linestyle=":", label="1/3")
    axes.set_xticks(np.arange(len(LEVELS)) + 0.2, [f"NT{level}" for level in LEVELS])
    axes.set(title=f"ancestor: {title}", ylabel="accuracy", ylim=(0, 1.05))
    axes.legend(fontsize="small", loc="lower right")


def _draw_boundaries(axes, results: Results) -> None:
    for i, level in enumerate(LEVELS):
        names = [
            f"attention/at_boundary{{level={level},offset={offset},split=test}}"
            for offset in OFFSETS
        ]
        rows = results.table(*names).select(names).to_numpy()
        for row in rows:
            axes.plot(OFFSETS, row - row.mean(), color=f"C{i}", alpha=0.3)
        mean = rows.mean(axis=0)
        axes.plot(OFFSETS, mean - mean.mean(), color=f"C{i}", marker="o", label=f"NT{level}")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(
        title="to keys near the end of a subtree",
        xlabel="offset from the end",
        ylabel="beyond distance, less its mean",
    )
    axes.legend(fontsize="small")


def _draw_end_to_end(axes, results: Results) -> None:
    values = np.array([[results.values(ENDS.format(k, q)).mean() for k in LEVELS] for q in LEVELS])
    largest = np.abs(values).max()
    image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    for (q, k), value in np.ndenumerate(values):
        axes.text(k, q, f"{value:.3f}", ha="center", va="center")
    names = [f"NT{level}" for level in LEVELS]
    axes.set_xticks(range(len(LEVELS)), names)
    axes.set_yticks(range(len(LEVELS)), names)
    axes.set(title="attention from end to end", xlabel="key's level", ylabel="query's level")
    axes.figure.colorbar(image, ax=axes, shrink=0.8)


def _draw_adjacent(axes, results: Results) -> None:
    levels = ["query_level", "key_level"]
    rows = results.along("attention/adjacent").group_by(*levels, "apart", maintain_order=True)
    means = rows.agg(pl.col("value").mean()).sort(*levels, "apart")
    for (q, k), line in means.group_by(levels, maintain_order=True):
        axes.plot(
            line["apart"],
            line["value"],
            marker="o",
            color=f"C{q - 2}",
            alpha=1 if q == k else 0.35,
            label=f"NT{q}" if q == k else None,
        )
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(
        title="between ends (pale: other levels)",
        xlabel="subtrees of the key's level between",
        ylabel="beyond distance",
    )
    axes.legend(fontsize="small")


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
