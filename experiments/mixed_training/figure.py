"""QA finetuning after pretraining, and mixed training: Part 3.1, result 1."""

from pathlib import Path

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.extraction import draw_mixed_training

if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw_mixed_training)
