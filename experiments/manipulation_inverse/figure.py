"""Names from attributes, of people named first and last in their texts, from results.csv."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.experiment_figure import draw_experiment
from physlm.analysis.manipulation_figure import draw_tasks

GIVEN = ("birth_date", "date_and_city", "three", "four", "all")
TASKS = tuple(f"{part}_name_from_{given}" for part in ("first", "full") for given in GIVEN)
ALONE = "full_name_from_all"
TEXTS = {"redrawn": "texts open with the name", "redrawn_reverse6": "the name comes last"}


def set_apart(results: pl.DataFrame) -> pl.DataFrame:
    """The runs that ask for one task alone give it another name."""
    is_alone = pl.col("data.tasks") == f"['{ALONE}']"
    columns = [c for c in results.columns if c.startswith(f"manipulation/{ALONE}/")]
    named = {c: c.replace(ALONE, f"{ALONE}_asked_alone") for c in columns}
    alone = results.filter(is_alone).rename(named)
    return pl.concat([results.filter(~is_alone), alone], how="diagonal")


def draw(results: pl.DataFrame) -> Figure:
    """The figure of these runs."""
    results = set_apart(results)
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    for axes, (text, title) in zip(figure.subplots(2, 1), TEXTS.items(), strict=True):
        told = results.filter(pl.col("init_from") == f"+experiment=people +text={text}")
        draw_tasks(axes, told, (*TASKS, f"{ALONE}_asked_alone"), split="out_of_distribution")
        axes.set_title(title, loc="right", fontsize="small")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
