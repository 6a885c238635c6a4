"""Queries answered by one layer, and the loss of their answers."""

from pathlib import Path

from physlm.report.figures.architectures import draw_labels
from physlm.report.figures.experiment import draw_experiment

if __name__ == "__main__":
    draw_experiment(
        Path(__file__).parent,
        lambda results: draw_labels(results, "task/accuracy{k=1}", "task/loss_nats{k=1}"),
    )
