"""Filters of training texts: what each finds, and what a model learns from what it keeps."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars
from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

SCORES = ("spectra", "log_probability", "untrained")
FILTERS = ("none", "random", "spectra", "log_probability", "truth")
ACCURACY = "texts/accuracy{kind=result}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    found, learned = figure.subplots(1, 2)
    metrics = {name.replace("_", "-"): f"filter/auc{{score={name}}}" for name in SCORES}
    draw_bars(found, results.filter(experiment="corrupted_sums"), metrics, "AUC")
    found.axvline(0.5, color="grey", linestyle=":")
    found.set(title="corrupted texts against right ones", xlim=(0, 1))
    anew = results.filter(experiment="spectral_filter")
    groups = {
        name: anew.filter(pl.col("data.by") == name).values(ACCURACY).to_list() for name in FILTERS
    }
    draw_seeds(learned, groups, "accuracy of results")
    learned.set(title="trained anew on what each filter keeps")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
