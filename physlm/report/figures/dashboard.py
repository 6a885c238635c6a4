"""The panels of the dashboard drawn without W&B, from what it would be sent."""

import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.errors import InputError
from physlm.publication import Publication
from physlm.report.dashboard import CONFIG, Dashboard, Panel, PanelKind, values_of

_N_COLUMNS = 2


def draw_dashboard(dashboard: Dashboard, published: Sequence[Publication]) -> Figure:
    """All panels but those of claims, two in a row.

    Args:
        dashboard: The panels.
        published: The runs; each panel shows those that have its keys.

    Raises:
        InputError: If there is no such panel.
    """
    panels = [panel for panel in dashboard.panels if panel.kind is not PanelKind.claims]
    if not panels:
        raise InputError("no panel of the dashboard has data in these runs; name others")
    n_rows = -(-len(panels) // _N_COLUMNS)
    figure = Figure(figsize=(12, 3.3 * n_rows), layout="constrained")
    places = list(figure.subplots(n_rows, _N_COLUMNS, squeeze=False).flat)
    values = [values_of(run) for run in published]
    for panel, axes in zip(panels, places, strict=False):
        if panel.kind is PanelKind.lines:
            _draw_lines(axes, panel, published)
        else:
            _DRAWN[panel.kind](axes, panel, values)
        axes.set_title(textwrap.fill(panel.title, 50), fontsize="small")
        axes.tick_params(which="both", labelsize="x-small")
    for axes in places[len(panels) :]:
        axes.remove()
    return figure


def _draw_points(axes: Axes, panel: Panel, runs: Sequence[Mapping[str, Any]]) -> None:
    groups: dict[Any, list[tuple[float, float]]] = defaultdict(list)
    for run in runs:
        x, y = run.get(panel.x), run.get(panel.y)
        if x is not None and y is not None:
            groups[run.get(panel.colour)].append((x, y))
    names = sorted(groups, key=_order)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, max(1, len(names))))
    for name, colour in zip(names, colours, strict=True):
        x, y = np.array(groups[name]).T
        axes.scatter(x, y, s=18, color=colour, label=f"{name}")
    axes.set(xlabel=panel.x.removeprefix(CONFIG), ylabel=panel.y)
    _scale(axes, panel)
    if panel.colour:
        axes.legend(title=panel.colour.removeprefix(CONFIG), fontsize="x-small")


def _draw_bars(axes: Axes, panel: Panel, runs: Sequence[Mapping[str, Any]]) -> None:
    """Means with standard errors over runs."""
    groups: dict[Any, list[float]] = defaultdict(list)
    for run in runs:
        if (y := run.get(panel.y)) is not None:
            groups[run.get(panel.group)].append(y)
    names = sorted(groups, key=_order, reverse=True)
    values = [np.array(groups[name]) for name in names]
    means = [own.mean() for own in values]
    errors = [own.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else 0 for own in values]
    axes.barh([str(name).replace(" ", "\n") for name in names], means, xerr=errors)
    axes.set(xlabel=panel.y)


def _draw_lines(axes: Axes, panel: Panel, published: Sequence[Publication]) -> None:
    for run in published:
        points = [(r[panel.x], r[panel.y]) for r in run.rows if panel.x in r and panel.y in r]
        if points:
            axes.plot(*np.array(points).T, linewidth=1)
    axes.set(xlabel=panel.x, ylabel=panel.y)
    _scale(axes, panel)


_DRAWN = {PanelKind.scatter: _draw_points, PanelKind.bars: _draw_bars}


def _scale(axes: Axes, panel: Panel) -> None:
    for axis in {"x", "y"} & {*panel.log}:
        axes.set(**{f"{axis}scale": "log"})


def _order(name: Any) -> tuple[bool, float, str]:
    """Numbers by size, before texts."""
    is_number = isinstance(name, int | float)
    return not is_number, float(name) if is_number else 0.0, str(name)
