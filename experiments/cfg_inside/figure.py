"""What probes find, and where attention goes, from results.csv, as Part 1, figures 6 to 9."""

import re
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.experiment_figure import draw_experiment

LEVELS = (2, 3, 4)
OFFSETS = (-2, -1, 0, 1, 2)
PROBES = {"full": "full, all positions", "diagonal_at_ends": "own state, at ends",
          "diagonal_elsewhere": "own state, elsewhere"}  # fmt: skip


def draw(results: pl.DataFrame) -> Figure:
    """The figure of these runs."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    probes, attention = figure.subplots(2, 3)
    for axes, (kind, title) in zip(probes, PROBES.items(), strict=True):
        _draw_probes(axes, results, kind, title)
    _draw_boundaries(attention[0], results)
    _draw_end_to_end(attention[1], results)
    _draw_adjacent(attention[2], results)
    return figure


def _draw_probes(axes, results: pl.DataFrame, kind: str, title: str) -> None:
    """Accuracy on every level, of the trained model and of random weights."""
    for i, (prefix, label) in enumerate((("probe", "trained"), ("probe_untrained", "random"))):
        for j, level in enumerate(LEVELS):
            values = results[f"{prefix}/ancestor/{kind}/NT{level}"]
            axes.bar(j + 0.4 * i, values.mean(), 0.38, color=f"C{i}",
                     label=label if j == 0 else None)  # fmt: skip
            axes.plot([j + 0.4 * i] * len(values), values, "k.", markersize=3)
    axes.axhline(1 / 3, color="grey", linestyle=":", label="a third")
    axes.set_xticks(np.arange(len(LEVELS)) + 0.2, [f"NT{level}" for level in LEVELS])
    axes.set(title=f"ancestor: {title}", ylabel="accuracy", ylim=(0, 1.05))
    axes.legend(fontsize="small", loc="lower right")


def _draw_boundaries(axes, results: pl.DataFrame) -> None:
    for i, level in enumerate(LEVELS):
        names = [f"attention/boundary/NT{level}/offset_{offset}" for offset in OFFSETS]
        rows = results.select(names).to_numpy()
        for row in rows:
            axes.plot(OFFSETS, row - row.mean(), color=f"C{i}", alpha=0.3)
        mean = rows.mean(axis=0)
        axes.plot(OFFSETS, mean - mean.mean(), color=f"C{i}", marker="o", label=f"NT{level}")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(title="to keys near the end of a subtree", xlabel="offset from the end",
             ylabel="beyond distance, less its mean")  # fmt: skip
    axes.legend(fontsize="small")


def _draw_end_to_end(axes, results: pl.DataFrame) -> None:
    values = np.array([
        [results[f"attention/end_to_end/NT{q}_to_NT{k}"].mean() for k in LEVELS] for q in LEVELS
    ])  # fmt: skip
    largest = np.abs(values).max()
    image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    for (q, k), value in np.ndenumerate(values):
        axes.text(k, q, f"{value:.3f}", ha="center", va="center")
    names = [f"NT{level}" for level in LEVELS]
    axes.set_xticks(range(len(LEVELS)), names)
    axes.set_yticks(range(len(LEVELS)), names)
    axes.set(title="attention from end to end", xlabel="key's level", ylabel="query's level")
    axes.figure.colorbar(image, ax=axes, shrink=0.8)


def _draw_adjacent(axes, results: pl.DataFrame) -> None:
    pattern = re.compile(r"attention/adjacent/NT(\d)_to_NT(\d)/apart_(\d)")
    found = {tuple(map(int, m.groups())): name for name in results.columns
             if (m := pattern.fullmatch(name))}  # fmt: skip
    for q, k in sorted({(q, k) for q, k, _ in found}):
        apart = [r for a, b, r in sorted(found) if (a, b) == (q, k)]
        means = [results[found[q, k, r]].mean() for r in apart]
        axes.plot(apart, means, marker="o", color=f"C{q - 2}", alpha=1 if q == k else 0.35,
                  label=f"NT{q}" if q == k else None)  # fmt: skip
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(title="between ends (pale: other levels)",
             xlabel="subtrees of the key's level between", ylabel="beyond distance")  # fmt: skip
    axes.legend(fontsize="small")


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
