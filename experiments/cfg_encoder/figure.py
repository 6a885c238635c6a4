"""Probing of an encoder and a decoder, as in Part 1, figure 6."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

LEVELS = (2, 3, 4)
MODELS = {"cfg_inside": "decoder", "cfg_encoder": "encoder"}
PROBES = {("full", "all"): "full, all positions", ("diagonal", "ends"): "own state, at ends"}
FOUND = "probe/accuracy{{level={},positions={},reach={},split=test,target=ancestor}}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, ((reach, positions), title) in zip(
        figure.subplots(1, 2), PROBES.items(), strict=True
    ):
        for i, (name, label) in enumerate(MODELS.items()):
            rows = results.filter(pl.col("experiment") == name)
            for j, level in enumerate(LEVELS):
                values = rows.values(FOUND.format(level, positions, reach))
                axes.bar(
                    j + 0.4 * i, values.mean(), 0.38, color=f"C{i}", label=label if j == 0 else None
                )
                axes.plot([j + 0.4 * i] * len(values), values, "k.", markersize=3)
        axes.set_xticks(np.arange(len(LEVELS)) + 0.2, [f"NT{level}" for level in LEVELS])
        axes.set(title=f"ancestor: {title}", ylabel="accuracy", ylim=(0, 1.05))
        axes.legend(fontsize="small", loc="lower right")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
