"""Patching and erasing facts about people, by state and place."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_over_states
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

PLACES = ("name", "name_last", "between", "last")
ERASED = ("random", "other", "own")


def _draw_map(axes: Axes, results: Results, run: str) -> None:
    """Mean recovered logit difference by state and place."""
    rows = results.along("depth/patching/recovered").filter(pl.col("run") == run)
    means = rows.group_by("place", "state").agg(pl.col("value").mean())
    states = sorted(means["state"].unique())
    values = np.array(
        [
            [means.filter(place=place, state=state)["value"].item() for state in states]
            for place in PLACES
        ]
    )
    axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        shade = "white" if abs(value) > 0.6 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade)
    axes.set_xticks(range(len(states)), [str(state) for state in states])
    axes.set_yticks(range(len(PLACES)), [place.replace("_", " ") for place in PLACES])
    axes.set(xlabel="state (blocks applied)")


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    (source, third), erasures = figure.subplots(2, 2)
    _draw_map(source, results, "patch")
    source.set(title="recovered by the source's state")
    _draw_map(third, results, "control")
    third.set(title="by that of a third person")
    for axes, place in zip(erasures, ("name_last", "last"), strict=True):
        lines = {
            f"{name} erased": {"place": place, "erased": name, "attribute": None} for name in ERASED
        }
        whole = results.values("depth/erasure/accuracy{erased=none}").to_numpy().mean()
        axes.axhline(whole, color="grey", linestyle=":", label="nothing erased")
        draw_over_states(axes, results, "depth/erasure/accuracy", lines)
        axes.set(ylabel="accuracy", title=f"erased at the {place.replace('_', ' ')} token")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
