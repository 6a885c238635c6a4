"""Validity and KL by position encoding: Part 1, figure 4, at laptop scale."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

VALID, KL = "cfg/accuracy{prefix=0,split=test}", "cfg/kl_nats{split=test}"
VARIANTS = {
    ("learned", 4): "absolute",
    ("none", 4): "none",
    ("uniform", 4): "uniform",
    ("uniform", 8): "uniform,\n8 heads",
    ("position_only", 4): "position\nonly",
    ("rope", 4): "rotary",
    ("relative", 4): "relative",
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    validity, distance = figure.subplots(1, 2)
    for axes, metric in (
        (validity, "cfg/accuracy{prefix=0,split=test}"),
        (distance, "cfg/kl_nats{split=test}"),
    ):
        for i, (variant, n_heads) in enumerate(VARIANTS):
            is_variant = (pl.col("model.position") == variant) & (
                pl.col("model.n_heads") == n_heads
            )
            values = results.filter(is_variant).values(metric)
            axes.bar(i, values.mean(), color=f"C{i}")
            axes.plot([i] * len(values), values, "k.", markersize=4)
        axes.set_xticks(np.arange(len(VARIANTS)), list(VARIANTS.values()), fontsize="small")
    validity.set(ylabel="fraction of valid strings", ylim=(0, 1), title="generated from scratch")
    distance.set(ylabel="nats per token", yscale="log", title="KL")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
