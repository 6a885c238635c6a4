"""P-probing along a biography and Q-probing after the name, at workstation scale."""

from pathlib import Path

from physlm.report.figures.attribute_probing import draw_probes_of_augmentations
from physlm.report.figures.experiment import draw_experiment

if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw_probes_of_augmentations)
