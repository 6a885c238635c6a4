"""Parity of months by how many people training asks about, from its results: Part 3.2, result 2."""

from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

VALUE = "manipulation/{}{{split={},task=birth_month_mod_2}}"
# Label, the share of training questions with facts that it is of, and which metric.
LINES = (
    ("chance", 0.0, "chance"),
    ("straight, trained so", 0.0, "accuracy"),
    ("straight, trained with facts too", 0.5, "accuracy"),
    ("after facts of its own", 0.5, "accuracy_with_hint"),
    ("those facts", 0.5, "hint_accuracy"),
)


def draw_sizes(axes: Axes, results: Results, split: str) -> None:
    """Means over seeds with standard errors, by the number of people in training."""
    for i, (label, share, kind) in enumerate(LINES):
        name = VALUE.format(kind, split)
        runs = results.filter(pl.col("data.hint_fraction") == share)
        rows = runs.table(name).sort("data.n_train_people")
        means = rows.group_by("data.n_train_people", maintain_order=True).agg(
            pl.col(name).mean().alias("mean"),
            (pl.col(name).std() / pl.col(name).count().sqrt()).alias("error"),
        )
        axes.errorbar(
            means["data.n_train_people"],
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
    draw_sizes(left, results, "held_out_people")
    draw_sizes(right, results, "train_people")
    left.legend(fontsize="x-small", loc="upper left")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
