"""Figures of runs."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.atomic import replacing
from physlm.measurement import Metric, by_text, parse_metric
from physlm.record import RunRecord
from physlm.run_directory import LOSS, curve_points
from physlm.science import caveat

_HEIGHT, _LINE_HEIGHT = 3.5, 0.21  # inches: of axes, and of a line of a legend below them
_MOST_INSIDE = 4  # lines of a legend that leave room for the curves


def draw_run(record: RunRecord, curves: Sequence[dict[str, float]], path: Path) -> None:
    """The training loss of one run, and its metrics beside the published numbers, if any."""
    measured = by_text(record.metrics)
    names = [name for name in record.published if name in measured]
    figure = Figure(figsize=(9 if names else 5, 3.5), layout="constrained")
    grid = figure.add_gridspec(max(1, len(names)), 2 if names else 1)
    curve = figure.add_subplot(grid[:, 0])
    rows = [row for row in curves if "train/loss_nats" in row]
    curve.plot([row["train/exposures"] for row in rows], [row["train/loss_nats"] for row in rows])
    curve.set(xlabel="exposures", ylabel="training loss (nats per token)", title=record.experiment)
    for i, name in enumerate(names):
        axes = figure.add_subplot(grid[i, 1])
        maximum = _upper_bound(name, measured)
        _draw_beside(axes, measured[name], record.published[name], maximum)
        if i == 0:
            axes.set_title(
                f"{record.parameters['total']:,} parameters, {record.exposures:g} exposures"
            )
            axes.legend(fontsize="small")
    if names:
        _add_caveats(figure, [record])
    save_figure(figure, path)


def _upper_bound(text: str, measured: Mapping[str, Metric]) -> Metric | None:
    """The upper bound of a capacity metric in this world; None for other metrics."""
    name, _ = parse_metric(text)
    kind, _, what = name.partition("/")
    return measured.get(f"capacity/maximum_{what}") if kind == "capacity" else None


def _draw_beside(axes: Axes, metric: Metric, published: float, maximum: Metric | None) -> None:
    """One metric on its own axis: measured, published, and the upper bound."""
    axes.barh(0, metric.value, xerr=metric.stderr, color="tab:blue", label="measured")
    axes.plot(published, 0, "D", color="tab:red", label="published")
    if maximum is not None:
        axes.axvline(maximum.value, color="black", linestyle="--", label="maximum in this world")
    axes.set(yticks=[], ylim=(-0.8, 1.2), xlabel=f"{metric.text} ({metric.unit})")


def draw_histograms(records: Sequence[RunRecord], path: Path) -> bool:
    """Histograms over runs that differ in seed and learning rate.

    Each metric with a published number is drawn, or the first metric if none has one. Returns
    False, and draws nothing, if the runs have no metric in common.
    """
    records = [record for record in records if record.metrics]
    measured = [by_text(record.metrics) for record in records]
    common = [name for name in (measured or [{}])[0] if all(name in own for own in measured)]
    if not common:
        return False
    names = [name for name in records[0].published if name in common] or common[:1]
    rates = [record.config["optim"]["learning_rate"] for record in records]
    figure = Figure(figsize=(5 * len(names), 3.5), layout="constrained")
    for i, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), i + 1)
        values = np.array([metrics[name].value for metrics in measured])
        groups = [values[np.array(rates) == rate] for rate in sorted(set(rates))]
        axes.hist(
            groups,
            bins=np.histogram_bin_edges(values, "auto").tolist(),
            stacked=True,
            label=[f"learning rate {rate:g}" for rate in sorted(set(rates))],
        )
        if name in records[0].published:
            axes.axvline(records[0].published[name], color="tab:red", label="published")
        axes.set(
            xlabel=f"{name} ({measured[0][name].unit})",
            ylabel="runs",
            title=f"{records[0].experiment}, n = {len(records)}",
        )
        axes.legend(fontsize="small")
    if names[0] in records[0].published:
        _add_caveats(figure, records)
    save_figure(figure, path)
    return True


def _add_caveats(figure: Figure, records: Sequence[RunRecord]) -> None:
    """Below the axes, how the runs differ from the experiment of the published numbers."""
    lines = dict.fromkeys(caveat(record.changed) for record in records)
    width = int(figure.get_figwidth() * 18)
    text = "\n".join(textwrap.fill(line, width) for line in lines if line)
    figure.supxlabel(text, fontsize="x-small", x=0.01, ha="left")


def draw_learning_curve(record: RunRecord, curves: Sequence[dict[str, float]], path: Path) -> None:
    """Metrics measured during training, against tokens; nothing is drawn if there are none.

    Accuracies are on the left; other metrics are on the right, on a logarithmic axis, which is
    linear around 0 if a value is not positive.
    """
    points = [point for point in curve_points(curves) if point.metric != LOSS]
    if not points:
        return
    figure = Figure(figsize=(9, _HEIGHT), layout="constrained")
    accuracies, others = figure.subplots(1, 2)
    for name in dict.fromkeys(point.metric for point in points):
        own = [(point.tokens, point.value) for point in points if point.metric == name]
        axes = accuracies if "accuracy" in name or "exact_match" in name else others
        axes.plot(*zip(*own, strict=True), marker=".", label=name)
    for axes in (accuracies, others):
        axes.set(xlabel="tokens seen")
        if axes.lines:
            _add_legend(axes)
    accuracies.set(ylabel="accuracy", ylim=(-0.03, 1.03), title=record.experiment)
    is_positive = all(np.min(line.get_ydata()) > 0 for line in others.lines)
    others.set(yscale="log" if is_positive else "symlog")
    save_figure(figure, path)


def _add_legend(axes: Axes) -> None:
    """Inside the axes, or below them in a higher figure if it would cover the lines."""
    n_lines = len(axes.lines)
    if n_lines <= _MOST_INSIDE:
        axes.legend(fontsize="small")
        return
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.2))
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.set_figheight(max(figure.get_figheight(), _HEIGHT + n_lines * _LINE_HEIGHT))


def save_figure(figure: Figure, path: Path) -> None:
    """Save a figure in the format of the file's suffix, reproducibly to the byte."""
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with replacing(path) as temporary, matplotlib.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(temporary, format=path.suffix.removeprefix("."), dpi=120, metadata=metadata)
