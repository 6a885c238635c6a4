"""Retrieval of parts of dates and of two attributes, without and with a hint."""

from functools import partial
from pathlib import Path

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.manipulation import draw_held_out

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


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, partial(draw_held_out, tasks=TASKS, width=11, height=4))
