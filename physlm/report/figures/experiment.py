"""Output of an experiment's figure."""

import sys
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure
from physlm.report.results import Results


def draw_experiment(folder: Path, draw: Callable[[Results], Figure]) -> None:
    """Draw the results of an experiment's folder, and write ``figure.svg`` beside them."""
    path = folder / "figure.svg"
    save_figure(draw(Results.read(folder)), path)
    sys.stdout.write(f"written: {path}\n")
