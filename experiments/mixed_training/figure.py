"""Questions after the biographies and beside them, from its results: Part 3.1, result 1."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.experiment_figure import draw_experiment
from physlm.analysis.extraction_figure import Arm, draw_arms
from physlm.results import Results

STORED = "bio/attribute_accuracy{split=train}"


def draw(results: Results) -> Figure:
    """The figure of these runs."""
    mixed = results.filter(pl.col("name") == "mixed_training")
    arms = [
        Arm(
            "questions_afterwards",
            results.filter(pl.col("name") == "people").values(STORED),
            results.filter(pl.col("name") == "extraction"),
        ),
        Arm("questions_from the start", mixed.values(STORED), mixed),
    ]
    return draw_arms(arms)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
