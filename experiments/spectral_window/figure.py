"""Effects of spectral metrics on right and wrong brackets, with and without a sliding window."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

METRICS = ("any", "smoothness", "hfer", "fiedler", "eigenvalue_variance")
EFFECT = "spectra/effect{{{}corruption=swap,metric={},n_errors=1}}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    has_window = pl.col("init_from").str.contains("sliding_window")
    arms = {"a window of 16 tokens": has_window, "attention to all": ~has_window}
    for row, (title, chosen) in zip(panels, arms.items(), strict=True):
        of_arm = results.filter(chosen)
        for axes, arm in zip(row, ("", "arm=untrained,"), strict=True):
            metrics = {name.replace("_", " "): EFFECT.format(arm, name) for name in METRICS}
            draw_bars(axes, of_arm, metrics, "abs d in pairs")
            axes.set(title=f"{title}, {'untrained' if arm else 'trained'}")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
