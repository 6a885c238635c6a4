"""The pick among 16 continuations: by spectra, by likelihood, at random."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

GAIN = "best_of/gain{{{}over=random,pick={}}}"
PICKS = {
    "HFER": GAIN.format("metric=hfer,", "spectra"),
    "best metric": GAIN.format("", "spectra"),
    "untrained": GAIN.format("", "untrained"),
    "log-probability": GAIN.format("", "mean_log_probability"),
    "perfect pick": GAIN.format("", "ceiling"),
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    for axes, world in zip(figure.subplots(1, 2), ("sums", "brackets"), strict=True):
        of_world = results.filter(pl.col("init_from").str.contains(world))
        draw_bars(axes, of_world, PICKS, "fraction right, minus that of a random pick")
        axes.set(title=world)
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
