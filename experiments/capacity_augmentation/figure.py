"""Capacity by augmentation of the biographies."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

BITS = "capacity/bits_per_parameter{split=train}"
TEXTS = {
    "redrawn at_every exposure": pl.col("data.augmentation.n_paraphrases") == 0,
    "one text": pl.col("data.augmentation.n_paraphrases") == 1,
    "40 written_texts": pl.col("kinds.data") == "data/bior",
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    groups = {n: results.filter(c).values(BITS) for n, c in TEXTS.items()}
    draw_seeds(axes, groups, "bits per parameter")
    axes.set(title="1000 exposures")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
