"""The figure of the hybrid system: accuracy by task and method, and what a question costs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.measurement import Metric

METHODS = {
    "model": "the model alone",
    "hint": "facts written first",
    "database": "the database alone",
    "grounded": "facts from the database",
    "together": "together, by the router",
}
_COLOURS = {"model": "0.7", "hint": "C0", "database": "C1", "grounded": "C2", "together": "k"}


def draw_hybrid(metrics: Sequence[Metric]) -> Figure:
    """Accuracies of each task above, tokens of the model below.

    Args:
        metrics: Of the run.
    """
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    tasks = list(dict.fromkeys(str(m.dims["task"]) for m in metrics if m.name == "hybrid/accuracy"))
    _draw(above, metrics, "hybrid/accuracy", tasks)
    chance = {m.dims["task"]: m.value for m in metrics if m.name == "hybrid/chance"}
    places = np.arange(len(tasks))
    heights = [chance[task] for task in tasks]
    above.hlines(heights, places - 0.45, places + 0.45, color="C3", label="most common answer")
    above.set(ylim=(0, 1.05), ylabel="accuracy", title="questions about held-out people")
    _draw(below, metrics, "hybrid/tokens", tasks)
    below.set(ylabel="tokens of the model")
    below.set_xticks(places, [task.replace("_", " ") for task in tasks], fontsize="small")
    handles, labels = above.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize="small")
    return figure


def _draw(axes: Axes, metrics: Sequence[Metric], name: str, tasks: Sequence[str]) -> None:
    """Bars of all methods side by side, with standard errors."""
    found = {(m.dims["method"], m.dims["task"]): m for m in metrics if m.name == name}
    width = 0.85 / len(METHODS)
    for i, (method, label) in enumerate(METHODS.items()):
        own = [found[method, task] for task in tasks]
        axes.bar(
            np.arange(len(tasks)) + (i - (len(METHODS) - 1) / 2) * width,
            [metric.value for metric in own],
            width,
            yerr=[metric.stderr or 0 for metric in own],
            color=_COLOURS[method],
            label=label,
        )
