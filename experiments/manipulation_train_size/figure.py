"""Birth-month parity by number of train people: Part 3.2, result 2."""

from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

VALUE = "manipulation/{}{{split={},task=birth_month_mod_2}}"
# Label, the hint_fraction of training, and the metric.
LINES = (
    ("chance", 0.0, "chance"),
    ("without hint, trained without hints", 0.0, "accuracy"),
    ("without hint, trained with hints", 0.5, "accuracy"),
    ("with hint, generated", 0.5, "accuracy_with_hint"),
    ("hint accuracy", 0.5, "hint_accuracy"),
)


def draw_sizes(axes: Axes, results: Results, split: str) -> None:
    """Means over seeds with standard errors, by number of train people."""
    for i, (label, hint_fraction, kind) in enumerate(LINES):
        name = VALUE.format(kind, split)
        runs = results.filter(pl.col("data.hint_fraction") == hint_fraction)
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
        xlabel="train people", ylabel="fraction", ylim=(0, 1.05), title=split.replace("_", " ")
    )


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_sizes(left, results, "held_out_people")
    draw_sizes(right, results, "train_people")
    left.legend(fontsize="x-small", loc="upper left")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
