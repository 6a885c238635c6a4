"""Accuracy of manipulation tasks without and with a hint, as bars."""

import textwrap
from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.errors import InputError
from physlm.report.results import Results

# Label, the hint_fraction of training, and the metric.
_BARS = (
    ("chance", 0.0, "chance"),
    ("without hint, trained without hints", 0.0, "accuracy"),
    ("without hint, trained with hints", 0.5, "accuracy"),
    ("with hint, generated", 0.5, "accuracy_with_hint"),
    ("hint accuracy", 0.5, "hint_accuracy"),
    ("hint faithfulness", 0.5, "hint_faithfulness"),
)
_LABEL_WIDTH = 13  # characters


def draw_held_out(
    results: Results, tasks: Sequence[str], *, width: float, height: float = 3.8
) -> Figure:
    """One row of bars, for held-out people.

    Args:
        results: Results of runs with and without hints in training.
        tasks: Tasks from left to right.
        width: Width in inches.
        height: Height in inches.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    draw_tasks(figure.subplots(), results, tasks, split="held_out_people")
    return figure


def draw_tasks(axes: Axes, results: Results, tasks: Sequence[str], *, split: str) -> None:
    """Bars of means over runs for each task, with the runs as dots.

    Args:
        axes: The axes.
        results: Results of runs with and without hints in training.
        tasks: Tasks from left to right.
        split: ``train_people`` or ``held_out_people``.
    """
    width = 0.8 / len(_BARS)
    for i, (label, hint_fraction, kind) in enumerate(_BARS):
        text: str | None = label
        runs = results.filter(pl.col("data.hint_fraction") == hint_fraction)
        measured = set(runs.texts)
        for j, task in enumerate(tasks):
            metric = f"manipulation/{kind}{{split={split},task={task}}}"
            if metric not in measured:
                continue
            values = runs.values(metric).to_numpy()
            place = j + width * (i - (len(_BARS) - 1) / 2)
            axes.bar(place, values.mean(), width, color=f"C{i}", label=text)
            text = None
            axes.plot([place] * len(values), values, "k.", markersize=3)
        if text is not None:
            raise InputError(f"results have no manipulation/{kind} of {', '.join(tasks)}")
    names = [textwrap.fill(task.replace("_", " "), _LABEL_WIDTH) for task in tasks]
    axes.set_xticks(np.arange(len(tasks)), names, fontsize="small")
    axes.set(ylabel="fraction", ylim=(0, 1.05))
    axes.legend(fontsize="x-small", loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
