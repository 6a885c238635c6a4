"""Predicted against measured bits per parameter, and the errors of the predictions."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.predictions import draw_predictions
from physlm.report.predicted import read_predictions

BITS = "capacity/name_value_bits_per_parameter{split=train}"
FOLDER = Path(__file__).parent


def draw(results) -> Figure:
    """Draw the figure from the results and what was predicted of them."""
    return draw_predictions(results, BITS, read_predictions(FOLDER))


if __name__ == "__main__":
    draw_experiment(FOLDER, draw)
