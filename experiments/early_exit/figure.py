"""Early exit and skipped blocks of a model of people."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars, draw_over_states
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

CRITERIA = ("static", "probability", "entropy", "repeat")
SAVED = "depth/early_exit/blocks_saved_fraction_at_99{{criterion={}}}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    agreement, saved, skipped = figure.subplots(1, 3)
    draw_over_states(agreement, results, "depth/early_exit/agreement", {"tuned lens": {}})
    agreement.axhline(0.99, color="grey", linestyle=":", label="99%")
    agreement.set(ylabel="agreement with the whole model", title="all leave at one state")
    metrics = {name: SAVED.format(name) for name in CRITERIA}
    draw_bars(saved, results, metrics, "fraction of the blocks")
    saved.set(title="blocks saved at 99% agreement")
    every = results.along("depth/skipping/loss_change_nats")
    means = every.group_by("block").agg(pl.col("value").mean()).sort("block")
    skipped.bar(means["block"], means["value"], color="C0", alpha=0.7)
    skipped.plot(every["block"], every["value"], "k.", markersize=4)
    skipped.set(xlabel="block left out", ylabel="change of loss (nats)", yscale="log")
    skipped.set(title="one block skipped")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
