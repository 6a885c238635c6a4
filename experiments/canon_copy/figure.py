"""Strings and symbols that one layer copies."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.architectures import draw_labels
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

METRICS = ("task/accuracy", "task/token_accuracy")


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(10, 3), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), METRICS, strict=True):
        draw_labels(axes, results, metric)
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
