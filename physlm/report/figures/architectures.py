"""Architectures beside each other: bars for one task, a heat map for several."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from physlm.report.architectures import chance_of, chosen_runs
from physlm.report.results import Results

_HEIGHT, _WIDTH = 0.32, 2.2  # of a cell, in inches
_DARK = 0.45  # of the range of colours, below which text is white


def draw_labels(results: Results, *metrics: str) -> Figure:
    """For each metric a panel with a bar for each label, its standard error and every seed.

    The dotted line is chance.
    """
    n_labels = results.runs["label"].n_unique()
    size = (2 + 5 * len(metrics), 0.6 + _HEIGHT * n_labels)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        _draw_panel(axes, list(chosen_runs(metric, results)), metric)
    return figure


def _draw_panel(axes: Axes, chosen: Sequence[pl.DataFrame], metric: str) -> None:
    for place, rows in enumerate(chosen):
        values = rows[metric].to_numpy()
        error = stats.sem(values) if len(values) > 1 else None
        axes.barh(place, values.mean(), xerr=error, capsize=3, color="tab:blue", alpha=0.5)
        axes.plot(values, np.full(len(values), place), "k.", alpha=0.5)
    chance = chance_of(chosen[0], metric)
    if chance is not None:
        axes.axvline(chance, color="grey", linestyle=":")
    axes.set_yticks(range(len(chosen)), [rows["label"][0] for rows in chosen])
    axes.invert_yaxis()
    axes.set(xlabel=metric, xlim=(0, 1))
    axes.tick_params(labelsize="small")


def draw_architectures(compared: pl.DataFrame) -> Figure:
    """Architectures by tasks: mean and standard error of each cell, coloured by the mean.

    Args:
        compared: Of `compared_architectures`.
    """
    tasks = compared.select("experiment", "metric").unique(maintain_order=True).rows()
    labels = compared["label"].unique(maintain_order=True).to_list()
    cells = {(e, m, label): (mean, stderr) for e, m, label, mean, stderr in _rows(compared)}
    values = np.array(
        [[cells.get((*task, label), (np.nan, None))[0] for task in tasks] for label in labels]
    )
    size = (2 + _WIDTH * len(tasks), 1.2 + _HEIGHT * len(labels))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    low, high = min(0.0, np.nanmin(values)), max(1.0, np.nanmax(values))
    image = axes.imshow(values, vmin=low, vmax=high, aspect="auto", cmap="viridis")
    for i, label in enumerate(labels):
        for j, task in enumerate(tasks):
            mean, stderr = cells.get((*task, label), (None, None))
            if mean is None:
                continue
            text = f"{mean:.3f}" if stderr is None else f"{mean:.3f} ± {stderr:.3f}"
            colour = "white" if (mean - low) / (high - low) < _DARK else "black"
            axes.text(j, i, text, ha="center", va="center", color=colour, fontsize="small")
    axes.set_xticks(range(len(tasks)), ["\n".join(task) for task in tasks])
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(labelsize="small", length=0)
    figure.colorbar(image, ax=axes, label="mean over seeds")
    return figure


def _rows(compared: pl.DataFrame) -> list[tuple[str, str, str, float, float | None]]:
    return compared.select("experiment", "metric", "label", "mean", "stderr").rows()
