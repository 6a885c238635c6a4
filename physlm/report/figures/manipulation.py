"""What becomes of manipulation tasks straight away and with facts written out, as bars."""

import textwrap
from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.results import Results

# Label, the share of training questions with facts that it is of, and which metric.
_BARS = (
    ("chance", 0.0, "chance"),
    ("straight, trained so", 0.0, "accuracy"),
    ("straight, trained with facts too", 0.5, "accuracy"),
    ("after facts of its own", 0.5, "accuracy_with_hint"),
    ("those facts", 0.5, "facts"),
    ("follows given facts", 0.5, "hint_faithfulness"),
)
_LABEL_WIDTH = 13  # characters


def draw_held_out(
    results: Results, tasks: Sequence[str], *, width: float, height: float = 3.8
) -> Figure:
    """One row of bars, of the people whom training does not ask about.

    Args:
        results: Of runs with facts in training, and without.
        tasks: From left to right.
        width: In inches.
        height: In inches.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    draw_tasks(figure.subplots(), results, tasks, split="held_out_people")
    return figure


def draw_tasks(axes: Axes, results: Results, tasks: Sequence[str], *, split: str) -> None:
    """Bars of means over runs for each task, with the runs as dots.

    Args:
        axes: Where.
        results: Of runs with facts in training, and without.
        tasks: From left to right.
        split: ``train_people`` or ``held_out_people``.
    """
    width = 0.8 / len(_BARS)
    for i, (label, share, kind) in enumerate(_BARS):
        text: str | None = label
        runs = results.filter(pl.col("data.hint_fraction") == share)
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
    names = [textwrap.fill(task.replace("_", " "), _LABEL_WIDTH) for task in tasks]
    axes.set_xticks(np.arange(len(tasks)), names, fontsize="small")
    axes.set(ylabel="share", ylim=(0, 1.05))
    axes.legend(fontsize="x-small", loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
