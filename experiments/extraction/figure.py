"""Knowledge storage and extraction by augmentation: Part 3.1, figure 3."""

from pathlib import Path

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.extraction import draw_augmentations

if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw_augmentations)
