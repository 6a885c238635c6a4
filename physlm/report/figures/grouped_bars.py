"""Bars side by side, with a dot for every run."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from physlm.report.results import Results

# By label: the metric of each group, and the color.
Bars = Mapping[str, tuple[Sequence[str], str]]


def draw_grouped_bars(axes: Axes, results: Results, bars: Bars) -> None:
    """Draw the means over runs, with a dot for the value of every run, and a legend.

    Args:
        axes: Where to draw; group j stands at x = j.
        results: The runs.
        bars: For each label the metrics of all groups, in the order of the groups, and the color.
    """
    width = 0.8 / len(bars)
    for i, (label, (metrics, color)) in enumerate(bars.items()):
        for j, metric in enumerate(metrics):
            values = results.values(metric).to_numpy()
            place = j + (i - (len(bars) - 1) / 2) * width
            axes.bar(place, values.mean(), width, color=color, label=label if j == 0 else None)
            axes.plot([place] * len(values), values, "k.", markersize=4)
    axes.legend(fontsize="small")
