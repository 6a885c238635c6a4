"""Effects of spectral metrics with full attention and with a sliding window."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

METRICS = ("smoothness", "hfer", "fiedler", "spectral_entropy_normalised", "any")
TITLES = {"llama": "full attention", "mistral": "window of 16 tokens"}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    for axes, (model, title) in zip(
        figure.subplots(1, 2, sharey=True), TITLES.items(), strict=True
    ):
        own = results.filter(pl.col("init_from").str.contains(f"model={model}"))
        groups = {
            name: own.values(
                f"spectra/effect{{corruption=swap,metric={name},n_errors=1}}"
            ).to_list()
            for name in METRICS
        }
        draw_seeds(axes, groups, "|d| in pairs")
        axes.set(title=title)
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
