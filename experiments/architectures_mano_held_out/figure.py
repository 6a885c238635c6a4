"""Arithmetic by architecture: expressions that are held out, and those that occur in training."""

from pathlib import Path

from physlm.report.figures.architectures import draw_labels
from physlm.report.figures.experiment import draw_experiment

METRICS = ("task/accuracy{held_out=1}", "task/accuracy{held_out=0}")

if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, lambda results: draw_labels(results, *METRICS))
