"""The figure of an experiment, from its results."""

import sys
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure
from physlm.report.results import Results


def draw_experiment(folder: Path, draw: Callable[[Results], Figure]) -> None:
    """Write ``figure.svg`` of an experiment beside its results, of which it is drawn."""
    path = folder / "figure.svg"
    save_figure(draw(Results.read(folder)), path)
    sys.stdout.write(f"written: {path}\n")
