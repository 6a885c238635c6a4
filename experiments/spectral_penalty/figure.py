"""Sums learned with a spectral term in the loss, beside its controls."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

KIND, WEIGHT = pl.col("model.penalty.kind"), pl.col("model.penalty.weight")
IS_PERMUTED = pl.col("model.penalty.permuted")
ARMS = {
    "none": KIND.is_null(),
    "roughness_penalised": (KIND == "smoothness") & ~IS_PERMUTED & (WEIGHT > 0),
    "roughness_rewarded": (KIND == "smoothness") & ~IS_PERMUTED & (WEIGHT < 0),
    "permuted_tokens": (KIND == "smoothness") & IS_PERMUTED,
    "entropy": KIND == "entropy",
}
MEASURED = {
    "texts/accuracy{kind=result}": "accuracy of results",
    "texts/loss_nats": "loss on held-out texts (nats)",
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, (metric, label) in zip(figure.subplots(1, 2), MEASURED.items(), strict=True):
        groups = {
            name: results.filter(chosen).values(metric).to_list() for name, chosen in ARMS.items()
        }
        draw_seeds(axes, groups, label)
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
