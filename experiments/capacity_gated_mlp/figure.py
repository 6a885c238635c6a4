"""Capacity with different MLPs after 100 and 1000 exposures."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.rates import draw_rates
from physlm.report.results import Results

KINDS = {
    "plain": (pl.col("model.mlp") == "gelu") & (pl.col("model.d_model") == 32),
    "gated": (pl.col("model.mlp") == "gated_silu") & pl.col("model.tie_embeddings"),
    "gated, untied": (pl.col("model.mlp") == "gated_silu") & ~pl.col("model.tie_embeddings"),
    "a quarter": (pl.col("model.mlp") == "gelu") & (pl.col("model.d_model") == 44),
    "none": pl.col("model.mlp") == "none",
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    return draw_rates({name: results.filter(chosen) for name, chosen in KINDS.items()})


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
