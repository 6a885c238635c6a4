"""Extraction for a minority with one biography each: Part 3.1, result 5, four layers."""

from pathlib import Path

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.extraction import draw_celebrities

if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw_celebrities)
