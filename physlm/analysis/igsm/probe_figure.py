"""The figure of the probes: accuracy by task beside its controls, and nece by state."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.measurement import Dim, Metric

SETS = {
    "known_templates": "training templates",
    "trained": "test templates",
    "longer": "test templates, more operations",
}
MODELS = {
    "trained": ("trained model", "C0"),
    "random": ("random model", "0.7"),
    "names": ("names alone", "0.4"),
}
NOT_NEEDED = "not\nneeded"


def draw_probes(metrics: Sequence[Metric]) -> Figure:
    """Accuracies of each task on each set above, ``nece`` by state and distance below.

    Args:
        metrics: Metrics of the run.
    """
    own = [metric for metric in metrics if metric.name.startswith("igsm_probe/")]
    has_layers = any(metric.name == "igsm_probe/distance_accuracy" for metric in own)
    figure = Figure(figsize=(15, 7 if has_layers else 3.5), layout="constrained")
    panels = figure.subplots(2 if has_layers else 1, len(SETS), squeeze=False)
    for column, (name, title) in enumerate(SETS.items()):
        in_set = [metric for metric in own if metric.dims.get("set") == name]
        _draw_tasks(panels[0, column], in_set, title)
        if has_layers:
            _draw_layers(panels[1, column], in_set)
    panels[0, 0].set_ylabel("accuracy")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize="small")
    return figure


def _draw_tasks(axes: Axes, metrics: Sequence[Metric], title: str) -> None:
    """Bars of the trained and the random model and of names, a line at the most common class."""
    accuracies = [metric for metric in metrics if metric.name == "igsm_probe/accuracy"]
    tasks = list(dict.fromkeys(str(metric.dims["task"]) for metric in accuracies))
    for i, (model, (label, colour)) in enumerate(MODELS.items()):
        values = {str(m.dims["task"]): m for m in accuracies if m.dims["model"] == model}
        axes.bar(
            [tasks.index(task) + 0.27 * (i - 1) for task in values],
            [metric.value for metric in values.values()],
            0.25,
            yerr=[metric.stderr or 0 for metric in values.values()],
            color=colour,
            label=label,
        )
    common = {
        m.dims["task"]: m.value
        for m in metrics
        if m.name == "igsm_probe/majority" and "class" not in m.dims
    }
    places = np.arange(len(tasks))
    heights = [common[task] for task in tasks]
    axes.hlines(heights, places - 0.45, places + 0.45, color="C3", label="most common class")
    axes.set_xticks(places, tasks, fontsize="small")
    axes.set(ylim=(0, 1.05), title=title)


def _draw_layers(axes: Axes, metrics: Sequence[Metric]) -> None:
    """Accuracy on needed parameters by state and distance, and on those that are not needed."""
    values: dict[tuple[str, Dim], float] = {}
    for metric in metrics:
        row = _row(metric)
        if metric.name == "igsm_probe/distance_accuracy":
            values[row, metric.dims["distance"]] = metric.value
        if metric.name == "igsm_probe/layer_class_accuracy" and metric.dims["class"] == "false":
            values[row, NOT_NEEDED] = metric.value
    rows = sorted({row for row, _ in values}, key=_order)
    distances = sorted({d for _, d in values if isinstance(d, int)})
    columns: list[Dim] = [*distances, NOT_NEEDED]
    grid = np.array([[values.get((row, c), np.nan) for c in columns] for row in rows])
    axes.imshow(grid, vmin=0, vmax=1, cmap="viridis", aspect="auto", origin="lower")
    for (i, j), value in np.ndenumerate(grid):
        if not np.isnan(value):
            colour = "black" if value > 0.6 else "white"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(columns)), [str(column) for column in columns])
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="distance from the question", ylabel="state (blocks applied)")
    axes.set_title("nece by distance", fontsize="medium")


def _row(metric: Metric) -> str:
    """The state of the trained model, or the control."""
    model = metric.dims.get("model")
    return str(metric.dims.get("layer") if model == "trained" else model)


def _order(row: str) -> int:
    """Controls below states."""
    return {"names": -2, "random": -1}.get(row) or int(row)
