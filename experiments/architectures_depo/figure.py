"""Recall by architecture."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.architectures import draw_labels
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

ACCURACY, CHANCE = "task/accuracy{k=1}", 1 / 12


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    draw_labels(figure.subplots(), results, ACCURACY, CHANCE)
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
