"""QA finetuning after pretraining, and mixed training: Part 3.1, result 1."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.extraction import Arm, draw_arms
from physlm.report.results import Results

STORED = "recall/accuracy{split=train}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    mixed = results.filter(pl.col("experiment") == "mixed_training")
    arms = [
        Arm(
            "QA_finetuning",
            results.filter(pl.col("experiment") == "people").values(STORED),
            results.filter(pl.col("experiment") == "extraction"),
        ),
        Arm("mixed_training", mixed.values(STORED), mixed),
    ]
    return draw_arms(arms)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
