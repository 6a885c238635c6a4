"""Pairs of people ranked and told apart, straight and after facts, from its results."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.analysis.experiment_figure import draw_experiment
from physlm.analysis.manipulation_figure import draw_tasks
from physlm.results import Results

TASKS = tuple(
    f"{what}_{how}" for what in ("birth_month", "major_luck") for how in ("ranking", "subtraction")
)


def draw(results: Results) -> Figure:
    """The figure of these runs."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    draw_tasks(figure.subplots(), results, TASKS, split="out_of_distribution")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
