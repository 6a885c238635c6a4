"""What is stored and what can be told, by how people are told of, as bars: Part 3.1, figure 3."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.results import Results

_IN, _OUT = "train_people", "held_out_people"
_BARS = ("stored", "answered, asked about in training", "answered, never asked about", "chance")


class Arm(NamedTuple):
    """Runs of one way of augmentation.

    Attributes:
        label: Written below the bars; an underscore breaks the line.
        stored: Share of attributes stored, one value a run.
        asked: The runs that asked.
    """

    label: str
    stored: pl.Series
    asked: Results


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
        asked = (("exact_match", _IN), ("exact_match", _OUT), ("chance", _OUT))
        groups = (arm.stored, *(arm.asked.values(f"qa/{n}{{split={split}}}") for n, split in asked))
        for j, (label, column) in enumerate(zip(_BARS, groups, strict=True)):
            place, values = i + 0.2 * (j - 1.5), column.to_numpy()
            axes.bar(place, values.mean(), 0.2, color=f"C{j}", label=label if i == 0 else None)
            axes.plot([place] * len(values), values, "k.", markersize=3)
    axes.set_xticks(range(len(arms)), [_lines(arm.label) for arm in arms], fontsize="small")


def _draw_attributes(axes: Axes, arms: Sequence[Arm]) -> None:
    width = 0.8 / len(arms)
    shades = np.linspace(0.75, 0.05, len(arms))
    found = [_by_attribute(arm.asked) for arm in arms]
    names = list(found[0])
    for i, (arm, shade) in enumerate(zip(arms, shades, strict=True)):
        places = np.arange(len(names)) + width * (i - (len(arms) - 1) / 2)
        means = [found[i][name].to_numpy().mean() for name in names]
        axes.bar(places, means, width, color=str(shade), label=arm.label)
    axes.set_xticks(range(len(names)), [_lines(name) for name in names], fontsize="small")


def _by_attribute(asked: Results) -> dict[str, pl.Series]:
    """What was answered of people never asked about, run by run, in the order of attributes."""
    rows = asked.along("qa/exact_match").filter(split=_OUT).drop_nulls("attribute")
    parts = rows.partition_by("attribute", as_dict=True, maintain_order=True)
    return {str(name): own["value"] for (name,), own in parts.items()}


def _lines(name: str) -> str:
    return name.replace("_", "\n")
