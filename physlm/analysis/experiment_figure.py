"""The figure of an experiment, from its table of results."""

import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure


def draw_experiment(folder: Path, draw: Callable[[pl.DataFrame], Figure]) -> None:
    """Write ``figure.svg`` of an experiment beside its ``results.csv``, of which it is drawn."""
    results = pl.read_csv(folder / "results.csv", infer_schema_length=None)
    path = folder / "figure.svg"
    save_figure(draw(results), path)
    sys.stdout.write(f"written: {path}\n")
