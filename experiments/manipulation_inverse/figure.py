"""Inverse search, for biographies with the name first and last."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.manipulation import draw_tasks
from physlm.report.results import Results

GIVEN = ("birth_date", "date_and_city", "three", "four", "all")
TASKS = tuple(f"{part}_name_from_{given}" for part in ("first", "full") for given in GIVEN)
ALONE = "full_name_from_all"
TEXTS = {"redrawn": "name first in the biography", "redrawn_reverse6": "name last in the biography"}


def set_apart(results: Results) -> Results:
    """Rename a task in the runs that train on it alone."""
    alone = results.filter(pl.col("data.tasks") == f"['{ALONE}']").runs["run_id"].to_list()
    dims = pl.col("dims").str.replace(f"task={ALONE}$", f"task={ALONE}_alone")
    own = pl.when(pl.col("run_id").is_in(alone)).then(dims).otherwise(pl.col("dims"))
    return Results(results.runs, results.metrics.with_columns(dims=own))


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    results = set_apart(results)
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    for axes, (text, title) in zip(figure.subplots(2, 1), TEXTS.items(), strict=True):
        own = results.filter(pl.col("init_from") == f"+experiment=people +augmentation={text}")
        draw_tasks(axes, own, (*TASKS, f"{ALONE}_alone"), split="held_out_people")
        axes.set_title(title, loc="right", fontsize="small")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
