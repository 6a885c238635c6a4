"""Capacity against exposures, and of frequent and rare people in one world, from results.csv."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.experiment_figure import draw_experiment
from physlm.analysis.seeds_figure import draw_seeds
from physlm.collate import summarise

BITS = "capacity/bits_per_parameter"
SHARE = "capacity/frequency_{}/learned_share"


def draw(results: pl.DataFrame) -> Figure:
    """The figure of these runs."""
    is_mixed = pl.col("name") == "capacity_exposures"
    figure = Figure(figsize=(10, 4), layout="constrained")
    ladder, groups = figure.subplots(1, 2)
    equal = results.filter(~is_mixed)
    ladder.plot(equal["exposures"], equal[BITS], "k.", alpha=0.5)
    means = summarise(equal, ["data.exposures", "trainer.batch_size"], [BITS])
    ladder.errorbar(means["data.exposures"], means[BITS], means[f"{BITS}/stderr"], capsize=4)
    for level, style in ((2, "--"), (1, ":")):
        ladder.axhline(level, linestyle=style, color="grey")
    ladder.set(xscale="log", xlabel="exposures", ylabel="bits per parameter",
               title="everyone equally often")  # fmt: skip
    mixed = results.filter(is_mixed)
    shares = {f"{10 * n}_exposures": mixed[SHARE.format(n)] for n in (1, 3, 10, 30, 100)}
    draw_seeds(groups, shares, "share of what is told that is known")
    groups.set(title="frequent and rare people in one world")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
