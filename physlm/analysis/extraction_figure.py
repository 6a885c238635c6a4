"""What is stored and what can be told, by how people are told of, as bars: Part 3.1, figure 3."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_ANSWERED = "qa/exact_match"
_OTHERS = "@out_of_distribution"
_BARS = ("stored", "answered, asked about in training", "answered, never asked about", "chance")


class Arm(NamedTuple):
    """Runs of one way of telling.

    Attributes:
        label: Written below the bars; an underscore breaks the line.
        stored: Share of attributes stored, one value a run.
        asked: The runs that asked, as ``collate`` tabulates them.
    """

    label: str
    stored: pl.Series
    asked: pl.DataFrame


def draw_arms(arms: Sequence[Arm]) -> Figure:
    """Totals on the left, with the runs as dots; on the right each attribute, never asked about.

    Args:
        arms: From left to right, and from light to dark.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    totals, parts = figure.subplots(1, 2)
    _draw_totals(totals, arms)
    _draw_attributes(parts, arms)
    for axes in (totals, parts):
        axes.set(ylabel="share", ylim=(0, 1.05))
        axes.legend(fontsize="x-small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _draw_totals(axes: Axes, arms: Sequence[Arm]) -> None:
    for i, arm in enumerate(arms):
        groups = (arm.stored, arm.asked[f"{_ANSWERED}@in_distribution"],
                  arm.asked[f"{_ANSWERED}{_OTHERS}"], arm.asked[f"qa/chance{_OTHERS}"])  # fmt: skip
        for j, (label, column) in enumerate(zip(_BARS, groups, strict=True)):
            place, values = i + 0.2 * (j - 1.5), column.drop_nulls().to_numpy()
            axes.bar(place, values.mean(), 0.2, color=f"C{j}", label=label if i == 0 else None)
            axes.plot([place] * len(values), values, "k.", markersize=3)
    axes.set_xticks(range(len(arms)), [_lines(arm.label) for arm in arms], fontsize="small")


def _draw_attributes(axes: Axes, arms: Sequence[Arm]) -> None:
    width = 0.8 / len(arms)
    shades = np.linspace(0.75, 0.05, len(arms))
    names = [n for n in arms[0].asked.columns
             if n.startswith(f"{_ANSWERED}/") and n.endswith(_OTHERS)]  # fmt: skip
    for i, (arm, shade) in enumerate(zip(arms, shades, strict=True)):
        places = np.arange(len(names)) + width * (i - (len(arms) - 1) / 2)
        means = [arm.asked[name].drop_nulls().to_numpy().mean() for name in names]
        axes.bar(places, means, width, color=str(shade), label=arm.label)
    attributes = [n.removeprefix(f"{_ANSWERED}/").removesuffix(_OTHERS) for n in names]
    axes.set_xticks(range(len(names)), [_lines(name) for name in attributes], fontsize="small")


def _lines(name: str) -> str:
    return name.replace("_", "\n")
