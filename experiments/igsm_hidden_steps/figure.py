"""Answers of models trained with and without steps, by number of operations."""

from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

OPERATIONS = (1, 2, 3, 4, 5)


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    steps, no_steps = (
        results.filter(experiment=name) for name in ("igsm_learn", "igsm_hidden_steps")
    )
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    known, held_out = figure.subplots(1, 2, sharey=True)
    for axes, sets, title in (
        (known, ("known_templates", "known_templates", "known_templates"), "templates of training"),
        (held_out, ("trained", "shorter", "shorter"), "held-out templates"),
    ):
        with_steps, without, chance = sets
        _line(axes, steps, "answer_accuracy", with_steps, "with steps")
        _line(axes, no_steps, "answer_accuracy", without, "without steps")
        _line(axes, no_steps, "chance", chance, "most common answer")
        axes.set(title=title, xlabel="operations", ylim=(-0.02, 1.02))
        axes.set_xticks(OPERATIONS)
    known.set_ylabel("fraction of right answers")
    known.legend()
    return figure


def _line(axes: Axes, results: Results, name: str, within: str, label: str) -> None:
    """Means over runs with a bar of one standard error; the largest problems have their own set."""
    every = results.along(f"igsm/{name}").filter(pl.col("given").is_null())
    is_longest = pl.col("op").eq(OPERATIONS[-1]) & pl.col("set").eq("longest")
    own = pl.col("set").eq(within) & pl.col("op").is_not_null()
    if within != "known_templates":
        own = (own & pl.col("op").lt(OPERATIONS[-1])) | is_longest
    means = (
        every.filter(own)
        .group_by("op")
        .agg(
            pl.col("value").mean().alias("mean"),
            (pl.col("value").std() / pl.len().sqrt()).alias("stderr"),
        )
    )
    means = means.sort("op")
    style = {"color": "grey", "linestyle": ":"} if name == "chance" else {"marker": "o"}
    axes.errorbar(means["op"], means["mean"], means["stderr"], label=label, **style)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
