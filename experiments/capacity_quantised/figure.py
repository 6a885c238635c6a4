"""Capacity against bits per weight after quantisation."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results
from physlm.report.summary import summarise

BITS = "capacity/bits_per_parameter{split=train}"
WEIGHT, GROUP = "model.weight_bits", "model.group_size"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    rounded = results.filter(pl.col("experiment") == "capacity_quantised")
    for (size,), rows in sorted(rounded.runs.partition_by(GROUP, as_dict=True).items()):
        means = summarise(rounded.of_runs(rows), [WEIGHT], [BITS])
        axes.errorbar(
            means[WEIGHT],
            means[BITS],
            means[f"{BITS}/stderr"],
            marker="o",
            capsize=4,
            label=f"{size} weights share a scale",
        )
    before = results.filter(pl.col("experiment") != "capacity_quantised").values(BITS)
    axes.axhline(before.mean(), color="black", linewidth=1, label="32 bits")
    axes.axhline(0, color="grey", linewidth=0.5)
    axes.set(xlabel="bits per weight", ylabel="bits per parameter", title="1000 exposures")
    axes.legend(fontsize="small")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
