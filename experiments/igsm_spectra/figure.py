"""Effects, accuracies and verdicts of spectra on right and wrong texts."""

from pathlib import Path

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.spectra import draw_spectra_experiment

if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw_spectra_experiment)
