"""Capacity against exposures, and of frequent and rare people in one world."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results
from physlm.report.summary import summarise

BITS = "capacity/bits_per_parameter{split=train}"
FRACTION = "capacity/fraction_learned{{frequency={},split=train}}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    is_mixed = pl.col("experiment") == "capacity_exposures"
    figure = Figure(figsize=(10, 4), layout="constrained")
    ladder, groups = figure.subplots(1, 2)
    equal = results.filter(~is_mixed)
    runs = equal.table(BITS)
    ladder.plot(runs["exposures"], runs[BITS], "k.", alpha=0.5)
    means = summarise(equal, ["data.exposures", "trainer.batch_size"], [BITS])
    ladder.errorbar(means["data.exposures"], means[BITS], means[f"{BITS}/stderr"], capsize=4)
    for level, style in ((2, "--"), (1, ":")):
        ladder.axhline(level, linestyle=style, color="grey")
    ladder.set(
        xscale="log",
        xlabel="exposures",
        ylabel="bits per parameter",
        title="all people equally often",
    )
    mixed = results.filter(is_mixed)
    fractions = {
        f"{10 * n}_exposures": mixed.values(FRACTION.format(n)) for n in (1, 3, 10, 30, 100)
    }
    draw_seeds(groups, fractions, "fraction of value bits learned")
    groups.set(title="frequent and rare people in one world")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
