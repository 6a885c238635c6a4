"""Names from attributes, of people named first and last in their texts, from its results."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.manipulation import draw_tasks
from physlm.report.results import Results

GIVEN = ("birth_date", "date_and_city", "three", "four", "all")
TASKS = tuple(f"{part}_name_from_{given}" for part in ("first", "full") for given in GIVEN)
ALONE = "full_name_from_all"
TEXTS = {"redrawn": "texts open with the name", "redrawn_reverse6": "the name comes last"}


def set_apart(results: Results) -> Results:
    """The runs that ask for one task alone give it another name."""
    alone = results.filter(pl.col("data.tasks") == f"['{ALONE}']").runs["run_id"].to_list()
    dims = pl.col("dims").str.replace(f"task={ALONE}$", f"task={ALONE}_asked_alone")
    own = pl.when(pl.col("run_id").is_in(alone)).then(dims).otherwise(pl.col("dims"))
    return Results(results.runs, results.metrics.with_columns(dims=own))


def draw(results: Results) -> Figure:
    """The figure of these runs."""
    results = set_apart(results)
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    for axes, (text, title) in zip(figure.subplots(2, 1), TEXTS.items(), strict=True):
        told = results.filter(pl.col("init_from") == f"+experiment=people +augmentation={text}")
        draw_tasks(axes, told, (*TASKS, f"{ALONE}_asked_alone"), split="held_out_people")
        axes.set_title(title, loc="right", fontsize="small")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
