"""Parity of months by how many people training asks about, from its results: Part 3.2, result 2."""

from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.experiment_figure import draw_experiment
from physlm.results import Results

VALUE = "manipulation/{}{{split={},task=birth_month_mod_2}}"
# Label, the share of training questions with facts that it is of, and which metric.
LINES = (
    ("chance", 0.0, "chance"),
    ("straight, trained so", 0.0, "accuracy"),
    ("straight, trained with facts too", 0.5, "accuracy"),
    ("after facts of its own", 0.5, "accuracy_with_facts"),
    ("those facts", 0.5, "facts"),
)


def draw_sizes(axes: Axes, results: Results, split: str) -> None:
    """Means over seeds with standard errors, by the number of people in training."""
    for i, (label, share, kind) in enumerate(LINES):
        name = VALUE.format(kind, split)
        runs = results.filter(pl.col("data.facts_share") == share)
        rows = runs.table(name).sort("data.max_train")
        means = rows.group_by("data.max_train", maintain_order=True).agg(
            pl.col(name).mean().alias("mean"),
            (pl.col(name).std() / pl.col(name).count().sqrt()).alias("error"),
        )
        axes.errorbar(
            means["data.max_train"],
            means["mean"],
            means["error"],
            marker="o",
            capsize=2,
            color=f"C{i}",
            label=label,
        )
    axes.set(
        xlabel="people in training", ylabel="share", ylim=(0, 1.05), title=split.replace("_", " ")
    )


def draw(results: Results) -> Figure:
    """The figure of these runs."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_sizes(left, results, "out_of_distribution")
    draw_sizes(right, results, "in_distribution")
    left.legend(fontsize="x-small", loc="upper left")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
