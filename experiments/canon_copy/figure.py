"""Strings that decoders of one layer copy, with and without Canon."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

CANON, FROZEN = pl.col("model.canon.positions"), pl.col("model.canon.is_frozen")
IS_ROPE, IS_ONE = pl.col("model.position") == "rope", pl.col("model.n_layers") == 1
VARIES = pl.col("data.fewest_copied").is_not_null()
ARMS = {
    "RoPE": IS_ROPE & IS_ONE & CANON.is_null() & VARIES,
    "RoPE_one length": ~VARIES,
    "RoPE_Canon": IS_ROPE & IS_ONE & CANON.is_not_null() & ~FROZEN,
    "RoPE_frozen_Canon": IS_ROPE & IS_ONE & FROZEN,
    "RoPE_two layers": IS_ROPE & ~IS_ONE,
    "NoPE": ~IS_ROPE & CANON.is_null(),
    "NoPE_Canon": ~IS_ROPE & CANON.is_not_null(),
}
METRICS = {"task/accuracy": "strings without an error", "task/token_accuracy": "right symbols"}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    rates = sorted(results.runs["optim.learning_rate"].unique())
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    panels = figure.subplots(len(rates), len(METRICS), sharex=True, squeeze=False)
    for row, rate in zip(panels, rates, strict=True):
        at_rate = results.filter(pl.col("optim.learning_rate") == rate)
        for axes, (metric, label) in zip(row, METRICS.items(), strict=True):
            groups = {
                name: at_rate.filter(chosen).values(metric).to_list()
                for name, chosen in ARMS.items()
            }
            draw_seeds(axes, groups, label)
            axes.set(title=f"learning rate {rate:g}", ylim=(0, 1.05))
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
