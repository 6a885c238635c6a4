"""Panels of the figures on depth use: curves over states, and bars of differences."""

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.axes import Axes

from physlm.report.results import Results

_STATE = "state (blocks applied)"
LENSES = {
    "own": "tuned",
    "logit": "logit",
    "shifted": "tuned, one state off",
    "shuffled": "shuffled pairs",
}
_BASELINES = {"constant": "--", "token": ":"}


def draw_over_states(
    axes: Axes, results: Results, metric: str, lines: Mapping[str, Mapping[str, object]]
) -> None:
    """Means over runs by state, with a band of one standard error.

    Args:
        axes: The panel.
        results: Of the runs.
        metric: Name of the metric, which has the dimension state.
        lines: Dimensions of each line, by label; None where a metric must not have one.
    """
    every = results.along(metric)
    for label, dims in lines.items():
        own = every.filter(*(pl.col(name).eq_missing(value) for name, value in dims.items()))
        means = own.group_by("state").agg(
            pl.col("value").mean().alias("mean"),
            (pl.col("value").std() / pl.len().sqrt()).fill_null(0.0).alias("stderr"),
        )
        means = means.sort("state")
        (line,) = axes.plot(means["state"], means["mean"], marker=".", label=label)
        axes.fill_between(
            means["state"],
            means["mean"] - means["stderr"],
            means["mean"] + means["stderr"],
            color=line.get_color(),
            alpha=0.2,
            linewidth=0,
        )
    axes.set(xlabel=_STATE)
    axes.legend(fontsize="x-small")


def draw_lenses(axes: Axes, results: Results) -> None:
    """KL(final prediction || prediction of a state), by state and lens, with two baselines.

    Args:
        axes: The panel.
        results: Of the runs.
    """
    lines = {label: {"lens": name} for name, label in LENSES.items()}
    for name, style in _BASELINES.items():
        mean = results.values(f"lens/{name}_kl_nats").to_numpy().mean()
        label = f"best {name} predictor" if name == "constant" else "best from the token alone"
        axes.axhline(mean, color="grey", linestyle=style, linewidth=1, label=label)
    draw_over_states(axes, results, "lens/kl_nats", lines)
    axes.set(ylabel="KL to the final prediction (nats)", title="lenses", yscale="symlog")
    axes.set_ylim(bottom=0)


def draw_bars(axes: Axes, results: Results, metrics: Mapping[str, str], unit: str) -> None:
    """Mean of each metric over runs, with a dot for every run.

    Args:
        axes: The panel.
        results: Of the runs.
        metrics: Text of each metric, by label.
        unit: Of the values.
    """
    labels: Sequence[str] = list(metrics)
    for i, label in enumerate(labels):
        values = results.values(metrics[label]).to_numpy()
        axes.barh(i, values.mean(), 0.7, color="C0", alpha=0.7)
        axes.plot(values, [i] * len(values), "k.", markersize=4)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set(xlabel=unit)
    axes.tick_params(labelsize="small")
