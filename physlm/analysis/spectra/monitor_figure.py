"""The figure of a monitor: deviations of some texts after each token, and its alarms."""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.measurement import Measurement

_N_TEXTS = 3  # wrong texts


def draw_monitor(measurement: Measurement) -> Figure:
    """Deviations of right and wrong texts, one row per monitor and one column per pair."""
    traces, monitors = measurement.tables["monitor_traces"], ("spectra", "log_probability")
    wrong = traces.filter(~pl.col("is_valid"))["text"].unique(maintain_order=True)[:_N_TEXTS]
    figure = Figure(figsize=(4 * len(wrong), 6), layout="constrained")
    axes = figure.subplots(len(monitors), len(wrong), squeeze=False, sharex="col")
    for row, monitor in zip(axes, monitors, strict=True):
        own = traces.filter(pl.col("monitor") == monitor)
        for axis, text in zip(row, wrong, strict=True):
            _draw_pair(axis, own, int(text))
        row[0].set_ylabel(f"{monitor.replace('_', ' ')}\ndeviation")
    for axis in axes[-1]:
        axis.set_xlabel("token")
    axes[0, 0].legend(fontsize="small")
    return figure


def _draw_pair(axis: Axes, own: pl.DataFrame, wrong: int) -> None:
    """The right text of a pair comes before the wrong one."""
    for text, label, colour in ((wrong - 1, "right", "C0"), (wrong, "wrong", "C3")):
        rows = own.filter(pl.col("text") == text)
        axis.plot(rows["token"], rows["deviation"], color=colour, label=label, linewidth=1)
    axis.axhline(own["threshold"][0], color="0.5", linestyle="--", linewidth=1, label="alarm")
    error = own.filter(pl.col("text") == wrong)["error_position"][0]
    axis.axvline(error, color="C3", linestyle=":", linewidth=1, label="error")
