"""Parts of dates and pairs of attributes, straight and after facts, from its results."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.analysis.experiment_figure import draw_experiment
from physlm.analysis.manipulation_figure import draw_tasks
from physlm.results import Results

TASKS = (
    "birth_day",
    "birth_year",
    "birth_city_then_employer",
    "employer_then_birth_city",
    "university_then_major",
    "major_then_university",
    "company_city_then_employer",
    "employer_then_company_city",
    "city_of_employer",
)


def draw(results: Results) -> Figure:
    """The figure of these runs."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    draw_tasks(figure.subplots(), results, TASKS, split="out_of_distribution")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
