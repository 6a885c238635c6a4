"""Architectures at several learning rates, and which rate counts for each."""

from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.seeds_figure import draw_seeds
from physlm.selection import best_of

RATE, BITS = "optim.learning_rate", "capacity/bits_per_parameter"
LOSS = "capacity/validation_loss_nats"


def draw_rates(kinds: Mapping[str, pl.DataFrame]) -> Figure:
    """Capacity against the rate; beside it every kind at the rate chosen by validation loss."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    curves, chosen = figure.subplots(1, 2, sharey=True)
    groups = {}
    for name, rows in kinds.items():
        bits = pl.col(BITS)
        means = rows.group_by(RATE).agg(bits.mean(), stderr=bits.std() / bits.count().sqrt())
        curves.errorbar(*means.sort(RATE), marker="o", capsize=4, label=name)
        best = best_of(rows, over=RATE, by=LOSS)
        chosen_rates = " or ".join(f"{rate:g}" for rate in sorted(best[RATE].unique()))
        groups[f"{name}_rate {chosen_rates}"] = best[BITS].to_list()
    curves.set(xscale="log", xlabel="learning rate", ylabel="bits per parameter")
    rates = sorted({rate for rows in kinds.values() for rate in rows[RATE]})
    curves.set_xticks(rates, [f"{rate:g}" for rate in rates])
    curves.minorticks_off()
    curves.legend(fontsize="small")
    draw_seeds(chosen, groups, "")
    chosen.set(title="at the rate of least validation loss in the other seeds")
    return figure
