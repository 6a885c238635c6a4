"""A spectral term in the loss, and its controls: accuracy of results, and loss."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

KIND, WEIGHT = pl.col("model.penalty.kind"), pl.col("model.penalty.weight")
PERMUTED = pl.col("model.penalty.permuted")
SMOOTHNESS = KIND == "smoothness"
ARMS = {
    "none": KIND.is_null(),
    "smooth": SMOOTHNESS & ~PERMUTED & (WEIGHT > 0),
    "rough": SMOOTHNESS & (WEIGHT < 0),
    "permuted": SMOOTHNESS & PERMUTED,
    "entropy": KIND == "entropy",
}
METRICS = {
    "accuracy of results": "texts/accuracy{kind=result}",
    "loss on held-out texts (nats/token)": "texts/loss_nats",
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, (label, metric) in zip(figure.subplots(1, 2), METRICS.items(), strict=True):
        groups = {name: results.filter(arm).values(metric).to_list() for name, arm in ARMS.items()}
        draw_seeds(axes, groups, label)
        axes.set(xlabel="term of the loss")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
