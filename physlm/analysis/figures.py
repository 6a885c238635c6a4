"""Figures of runs."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from physlm.record import RunRecord, replacing


def draw_run(record: RunRecord, curves: Sequence[dict[str, float]], path: Path) -> None:
    """The learning curve of one run, and what it measured beside the published numbers."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    curve, bars = figure.subplots(1, 2)
    rows = [row for row in curves if "train/loss_nats" in row]
    curve.plot([row["train/exposures"] for row in rows], [row["train/loss_nats"] for row in rows])
    curve.set(xlabel="exposures", ylabel="training loss (nats per token)", title=record.name)
    measured = {metric.name: metric for metric in record.metrics}
    rows_shown = [(n, value) for n, value in record.published.items() if n in measured]
    for i, (name, published) in enumerate(rows_shown):
        metric = measured[name]
        bars.barh(
            i,
            metric.value,
            xerr=metric.stderr,
            color="tab:blue",
            label="measured" if i == 0 else None,
        )
        bars.plot(published, i, "D", color="tab:red", label="published" if i == 0 else None)
        maximum = measured.get(name.replace("capacity/", "capacity/maximum_"))
        if maximum is not None:
            bars.axvline(
                maximum.value, color="black", linestyle="--", label="maximum in this world"
            )
    bars.set_yticks(
        range(len(rows_shown)), [name.split("/")[-1].replace("_", "\n") for name, _ in rows_shown]
    )
    bars.set_title(f"{record.parameters['total']:,} parameters, {record.exposures:g} exposures")
    if rows_shown:
        bars.legend(loc="upper left", fontsize="small")
        bars.set_ylim(-0.8, len(rows_shown) + 0.2)
    save_figure(figure, path)


def draw_learning_curve(record: RunRecord, curves: Sequence[dict[str, float]], path: Path) -> None:
    """What scorers measured during training, against tokens; nothing where they did not.

    Shares, such as accuracies, are on the left; on the right the rest, on a logarithmic axis.
    """
    rows = [row for row in curves if "curve/tokens" in row]
    names = [name for name in (rows[0] if rows else {}) if name.startswith("curve/")]
    if not rows:
        return
    tokens = [row["curve/tokens"] for row in rows]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    shares, others = figure.subplots(1, 2)
    for name in (name for name in names if name != "curve/tokens"):
        values = [row[name] for row in rows]
        axes = shares if "accuracy" in name else others
        axes.plot(tokens, values, marker=".", label=name.removeprefix("curve/"))
    for axes in (shares, others):
        axes.set(xlabel="tokens seen")
        if axes.lines:
            axes.legend(fontsize="small")
    shares.set(ylabel="share", ylim=(-0.03, 1.03), title=record.name)
    others.set(yscale="log")
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's ending; drawn again it is the same file."""
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with replacing(path) as temporary, matplotlib.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(temporary, format=path.suffix.removeprefix("."), dpi=120, metadata=metadata)
