"""Classification by birth month and rank of the major, without and with a hint."""

from functools import partial
from pathlib import Path

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.manipulation import draw_held_out

TASKS = (
    *(f"birth_month_mod_{m}" for m in (2, 6, 12)),
    *(f"major_rank_mod_{m}" for m in (5, 20, 100)),
)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, partial(draw_held_out, tasks=TASKS, width=10))
