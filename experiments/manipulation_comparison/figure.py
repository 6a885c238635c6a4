"""Ranking and subtraction of two people, without and with a hint."""

from functools import partial
from pathlib import Path

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.manipulation import draw_held_out

TASKS = tuple(
    f"{what}_{how}" for what in ("birth_month", "major_rank") for how in ("ranking", "subtraction")
)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, partial(draw_held_out, tasks=TASKS, width=10))
