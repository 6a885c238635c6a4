"""Accuracy of the hybrid system and of its parts by task, and what a question costs."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.hybrid.hybrid_figure import METHODS
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

TASKS = (
    "birth_year",
    "birth_city_then_employer",
    "birth_month_mod_2",
    "birth_month_ranking",
    "full_name_from_birth_date",
    "full_name_from_all",
)
COLOURS = {"model": "0.7", "hint": "C0", "database": "C1", "grounded": "C2", "together": "k"}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    system = results.filter(pl.col("experiment") == "hybrid")
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    _draw(above, system, "accuracy")
    chance = [system.values(f"hybrid/chance{{task={t}}}").to_numpy().mean() for t in TASKS]
    places = np.arange(len(TASKS))
    above.hlines(chance, places - 0.45, places + 0.45, color="C3", label="most common answer")
    above.set(ylim=(0, 1.25), ylabel="accuracy", title="questions about held-out people")
    above.legend(fontsize="small", ncols=3, loc="upper center")
    _draw(below, system, "tokens")
    below.set(ylabel="tokens of the model")
    below.set_xticks(places, [task.replace("_", " ") for task in TASKS], fontsize="small")
    return figure


def _draw(axes: Axes, results: Results, name: str) -> None:
    """Means over seeds of all methods side by side, with a dot for every seed."""
    width = 0.85 / len(METHODS)
    for i, (method, label) in enumerate(METHODS.items()):
        for j, task in enumerate(TASKS):
            metric = f"hybrid/{name}{{method={method},task={task}}}"
            values = results.values(metric).to_numpy()
            place = j + (i - (len(METHODS) - 1) / 2) * width
            mean, shown = values.mean(), label if j == 0 else None
            axes.bar(place, mean, width, color=COLOURS[method], label=shown)
            axes.plot([place] * len(values), values, ".", color="C4", markersize=3)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
