"""Spread of capacity over 100 seeds."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results
from physlm.stats.intervals import mean_interval

BITS = "capacity/bits_per_parameter{split=train}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    bits = results.values(BITS).to_numpy()
    low, high = mean_interval(bits)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.hist(bits, bins=np.histogram_bin_edges(bits, "auto").tolist(), color="tab:blue", alpha=0.5)
    axes.axvspan(low, high, color="black", alpha=0.2, label="mean, 95%")
    axes.axvline(1, linestyle=":", color="grey", label="published: at least 1")
    axes.set(xlabel="bits per parameter", ylabel="seeds", title="100 exposures, 100 seeds")
    axes.legend(fontsize="small")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
