"""Accuracy after corrupted prefixes, by corruption of the training strings."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

KINDS = {"terminal": "tokens", "nonterminal": "symbols", "nonterminal_fixed": "symbols, fixed"}
RIGHT = "cfg/robust_accuracy{{corruption={},split=test,temperature={}}}"
PREFIXES = {"clean": "clean", **KINDS}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, temperature in zip(panels, (0.1, 1), strict=True):
        for i, (label, rows) in enumerate(_trained(results)):
            for j, kind in enumerate(PREFIXES):
                values = rows.values(RIGHT.format(kind, temperature))
                axes.bar(
                    j + 0.2 * i, values.mean(), 0.18, color=f"C{i}", label=label if j == 0 else None
                )
                axes.plot([j + 0.2 * i] * len(values), values, "k.", markersize=3)
        axes.set_xticks(np.arange(len(PREFIXES)) + 0.3, list(PREFIXES.values()))
        axes.set(xlabel="corruption of the prefix", title=f"temperature {temperature}")
    panels[0].set(ylabel="accuracy", ylim=(0, 1.05))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside right upper",
        fontsize="small",
        title="corruption of\ntraining strings",
    )
    return figure


def _trained(results: Results):
    """Runs by the corruption of a tenth of their training strings."""
    is_clean = pl.col("data.corrupted_fraction") == 0
    yield "none", results.filter(is_clean)
    for kind, label in KINDS.items():
        yield label, results.filter(~is_clean & (pl.col("data.corruption") == kind))


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
