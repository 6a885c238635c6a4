"""Knowledge storage and extraction by augmentation: Part 3.1, figure 3."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.extraction import augmentation_arms, draw_arms
from physlm.report.results import Results


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    return draw_arms(augmentation_arms(results))


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
