"""Figures of a model's depth, from frames of means alone."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.depth.depth_means import with_depth
from physlm.analysis.depth.document_means import require_columns
from physlm.analysis.depth.patching import CONTROL, PATCH

_STATE = "state (blocks applied)"


def draw_bucket_fractions(fractions: pl.DataFrame) -> Figure:
    """Stacked bars of top-1 tokens by bucket and state, beside those of the buckets' probability.

    The bar on the right of each panel is the corpus. ``fractions`` is a result of
    ``bucket_fractions``.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    states = fractions["state"].unique().sort().to_list()
    places = [*range(len(states)), len(states) + 0.5]
    for axes, (quantity, title) in zip(
        panels, (("top1_fraction", "top-1 tokens"), ("mass", "probability")), strict=True
    ):
        bottom = np.zeros(len(places))
        for bucket in fractions["bucket"].unique(maintain_order=True):
            own = fractions.filter(bucket=bucket, quantity=quantity).sort("state")
            heights = np.array([*own["value"], own["corpus_fraction"][0]])
            axes.bar(places, heights, bottom=bottom, label=bucket)
            bottom += heights
        axes.set_xticks(places, [*map(str, states), "corpus"])
        axes.set(xlabel=_STATE, title=title)
    panels[0].set(ylabel="fraction of predictions")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize="small", title="bucket", loc="outside right upper")
    return figure


def draw_flips(flips: pl.DataFrame) -> Figure:
    """Flip rate by state and bucket; dashed lines are the rates of independent tokens."""
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for i, bucket in enumerate(flips["bucket"].unique().sort()):
        own = flips.filter(bucket=bucket).sort("state")
        _draw_line(axes, own, label=bucket, color=f"C{i}")
        axes.plot(own["state"], own["expected"], "--", color=f"C{i}", linewidth=1)
    axes.plot([], [], "--", color="grey", linewidth=1, label="if independent")
    axes.set(
        xlabel=_STATE, ylabel="flip rate", ylim=(-0.03, 1.03), title="top-1 differs from final"
    )
    axes.legend(fontsize="small")
    return figure


def draw_rank_curve(curve: pl.DataFrame, by: str | None = None) -> Figure:
    """First state at which the token reaches a rank, by threshold and group.

    On the left without the predictions that never reach it, on the right with state L for these.
    ``curve`` is a result of ``rank_curve``.

    Args:
        curve: The curve.
        by: Column of the groups; None for one group.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    titles = {"first_state": "where reached", "first_state_or_last": "state L if never reached"}
    for axes, (quantity, title) in zip(panels, titles.items(), strict=True):
        for group, own in _groups(curve.filter(quantity=quantity), by):
            _draw_line(axes, own.sort("threshold"), x="threshold", label=group)
        axes.set(xlabel="rank threshold", xscale="log", title=title)
    panels[0].set(ylabel=f"first {_STATE}")
    if by is not None:
        panels[1].legend(fontsize="small", title=by)
    return figure


def draw_depth_histogram(rows: pl.DataFrame) -> Figure:
    """How many predictions have their onset, and settle, at each state; ``rows`` of ``trace``."""
    depth = with_depth(rows)
    states = rows["state"][0].to_numpy()
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for i, name in enumerate(("onset", "settled")):
        counts = (depth[name].to_numpy()[:, None] == states).mean(axis=0)
        axes.bar(np.arange(len(states)) + 0.4 * i - 0.2, counts, 0.4, label=name)
    axes.set_xticks(range(len(states)), [str(state) for state in states])
    axes.set(xlabel=_STATE, ylabel="fraction of predictions")
    axes.legend(fontsize="small")
    return figure


def draw_divergence(
    means: Mapping[str, pl.DataFrame], baselines: Mapping[str, float] | None = None
) -> Figure:
    """KL divergence of the final distribution from that of each state, by lens.

    Args:
        means: Result of ``state_means``, by the lens' name.
        baselines: Divergences of predictors that read no state, such as the constant one.
    """
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, own in means.items():
        _draw_line(axes, own.filter(quantity="kl_nats").sort("state"), label=name)
    for i, (name, value) in enumerate((baselines or {}).items()):
        style = ("--", ":", "-.")[i % 3]
        axes.axhline(value, linestyle=style, color="grey", linewidth=1, label=name)
    axes.set(xlabel=_STATE, ylabel="KL to final (nats)")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    return figure


def draw_early_exit(curves: Mapping[str, pl.DataFrame]) -> Figure:
    """Agreement with the whole model against the mean number of blocks that run.

    Args:
        curves: Results of ``static_exit`` or ``dynamic_exit`` for one group, by name.
    """
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axis = "threshold" if "threshold" in curve.columns else "state"
        wide = curve.pivot(on="quantity", index=axis, values="value").sort("blocks")
        axes.plot(wide["blocks"], wide["agreement"], marker=".", label=name)
    axes.axhline(0.99, color="grey", linestyle=":", linewidth=1, label="99%")
    axes.set(xlabel="mean blocks run", ylabel="agreement with the whole model")
    axes.legend(fontsize="small")
    return figure


def draw_skipping(means: pl.DataFrame) -> Figure:
    """Change of the loss and agreement without each block; ``means`` of ``skipping_means``."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    labels = {"loss_change_nats": "change of loss (nats)", "agreement": "agreement with the model"}
    for axes, (quantity, label) in zip(panels, labels.items(), strict=True):
        own = means.filter(quantity=quantity).sort("block")
        errors = own["stderr"].fill_null(0.0)
        axes.bar(own["block"], own["value"], yerr=errors, capsize=2)
        axes.set_xticks(own["block"].to_list())
        axes.set(xlabel="skipped block", ylabel=label)
    panels[0].axhline(0, color="black", linewidth=0.8)
    panels[1].set_ylim(0, 1.03)
    return figure


def draw_patching(recovered: pl.DataFrame, places: Sequence[str] | None = None) -> Figure:
    """Recovered logit difference by state and place, beside that of the control.

    Args:
        recovered: Result of ``patching.recovered``.
        places: Their order; None for the alphabetical one.
    """
    require_columns(recovered, ["run", "place", "state", "value"])
    runs = [run for run in (PATCH, CONTROL) if run in recovered["run"].unique()]
    places = places or recovered["place"].unique().sort().to_list()
    states = recovered["state"].unique().sort().to_list()
    figure = Figure(figsize=(1.5 + 3.5 * len(runs), 3.6), layout="constrained")
    panels = figure.subplots(1, len(runs), squeeze=False)[0]
    for axes, run in zip(panels, runs, strict=True):
        own = recovered.filter(run=run)
        values = [
            [own.filter(place=place, state=state)["value"].item() for state in states]
            for place in places
        ]
        image = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        axes.set_xticks(range(len(states)), [str(state) for state in states])
        axes.set_yticks(range(len(places)), places)
        axes.set(xlabel=_STATE, title=run)
        for (i, j), value in np.ndenumerate(np.array(values)):
            colour = "white" if abs(value) > 0.6 else "black"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(image, ax=panels, label="recovered")
    return figure


def _draw_line(
    axes: Axes, means: pl.DataFrame, *, x: str = "state", label: str = "", color: str | None = None
) -> None:
    """A curve of means with a band of one standard error."""
    values = means["value"].to_numpy()
    errors = means["stderr"].fill_null(0.0).to_numpy()
    marker = "." if len(means) < 50 else None
    (line,) = axes.plot(means[x], values, marker=marker, label=label, color=color)
    axes.fill_between(
        means[x], values - errors, values + errors, color=line.get_color(), alpha=0.2, linewidth=0
    )


def _groups(frame: pl.DataFrame, by: str | None) -> list[tuple[str, pl.DataFrame]]:
    if by is None:
        return [("", frame)]
    require_columns(frame, [by])
    return [(str(name), frame.filter(pl.col(by) == name)) for name in frame[by].unique().sort()]
