"""Bars side by side, with a dot for every run."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from physlm.report.results import Results

# By label: the runs, the metric of each of the first groups, and the color.
Bars = Mapping[str, tuple[Results, Sequence[str], str]]


def draw_grouped_bars(axes: Axes, bars: Bars, groups: Sequence[str]) -> None:
    """Draw means over runs, with a dot for the value of every run, and a legend.

    Args:
        axes: The panel.
        bars: For each label its runs, one metric for each of the first groups, and the color.
        groups: Names of the groups.
    """
    width = 0.8 / len(bars)
    for i, (label, (results, metrics, color)) in enumerate(bars.items()):
        for j, metric in enumerate(metrics):
            values = results.values(metric).to_numpy()
            place = j + (i - (len(bars) - 1) / 2) * width
            axes.bar(place, values.mean(), width, color=color, label=label if j == 0 else None)
            axes.plot([place] * len(values), values, "k.", markersize=4)
    axes.set_xticks(range(len(groups)), groups, fontsize="small")
    axes.legend(fontsize="small")
