"""Capacity of mixtures of experts and of one MLP after 100 and 1000 exposures."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.rates import draw_rates
from physlm.report.results import Results

KINDS = {
    "one MLP": pl.col("model.n_experts") == 1,
    "32 experts,_1 active": pl.col("model.n_experts") == 32,
    "8 gated experts,_2 active": pl.col("model.n_experts") == 8,
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    return draw_rates({name: results.filter(chosen) for name, chosen in KINDS.items()})


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
