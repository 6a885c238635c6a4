"""Extraction for a minority with one biography each: Part 3.1, result 5."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.extraction import Arm, draw_arms
from physlm.report.results import Results

STORED = "recall/accuracy{split=train}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    people = results.filter(pl.col("experiment") == "people")
    alone = pl.col("data.n_minority") == 0
    arms = [
        Arm(
            "alone",
            people.filter(alone).values(STORED),
            results.filter(pl.col("experiment") == "extraction"),
        ),
        Arm(
            "beside_celebrities",
            people.filter(~alone).values(STORED),
            results.filter(pl.col("experiment") == "celebrity"),
        ),
    ]
    return draw_arms(arms)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
