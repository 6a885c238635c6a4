"""Architectures at several learning rates, and at the selected rates."""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results
from physlm.stats.model_selection import best_of

RATE = "optim.learning_rate"
BITS, LOSS = "capacity/bits_per_parameter{split=train}", "capacity/loss_nats{split=validation}"


def draw_rates(kinds: Mapping[str, Results]) -> Figure:
    """Capacity against the rate after 100 exposures, and at selected rates after 100 and 1000.

    Names break at underscores.
    """
    figure = Figure(figsize=(13, 4), layout="constrained")
    curves, *chosen = figure.subplots(1, 3, sharey=True)
    after = {n: _after(n, kinds) for n in (100, 1000)}
    _draw_curves(curves, after[100])
    for axes, (n, found) in zip(chosen, after.items(), strict=True):
        _draw_chosen(axes, found)
        axes.set(title=f"after {n} exposures, at the rate with\nlowest loss in other seeds")
    return figure


def _after(n_exposures: int, kinds: Mapping[str, Results]) -> dict[str, pl.DataFrame]:
    """The runs with a number of exposures, of every kind that has some."""
    rows = {
        name: results.table(BITS, LOSS).filter(pl.col("data.exposures") == n_exposures)
        for name, results in kinds.items()
    }
    return {name: found for name, found in rows.items() if len(found)}


def _draw_curves(axes: Axes, kinds: Mapping[str, pl.DataFrame]) -> None:
    """Means and standard errors against the rate."""
    bits = pl.col(BITS)
    for name, rows in kinds.items():
        means = rows.group_by(RATE).agg(bits.mean(), stderr=bits.std() / bits.count().sqrt())
        axes.errorbar(*means.sort(RATE), marker="o", capsize=4, label=name.replace("_", " "))
    axes.set(
        xscale="log",
        xlabel="learning rate",
        ylabel="bits per parameter",
        title="after 100 exposures",
    )
    rates = sorted({rate for rows in kinds.values() for rate in rows[RATE]})
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.legend(fontsize="small")


def _draw_chosen(axes: Axes, kinds: Mapping[str, pl.DataFrame]) -> None:
    """Every kind at the rate of lowest validation loss in the other seeds."""
    groups = {}
    for name, rows in kinds.items():
        best = best_of(rows, over=RATE, by=LOSS)
        rates = " or ".join(f"{rate:g}" for rate in sorted(best[RATE].unique()))
        groups[f"{name}_rate {rates}"] = best[BITS].to_list()
    draw_seeds(axes, groups, "")
