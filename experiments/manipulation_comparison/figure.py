"""Pairs of people ranked and told apart, straight and after facts, from results.csv."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure
from physlm.analysis.manipulation_figure import draw_tasks

FOLDER = Path(__file__).parent
TASKS = tuple(f"{what}_{how}" for what in ("birth_month", "major_luck")
              for how in ("ranking", "subtraction"))  # fmt: skip


def main() -> None:
    """Draw `figure.svg` beside this file."""
    results = pl.read_csv(FOLDER / "results.csv", infer_schema_length=None)
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    axes = figure.subplots()
    draw_tasks(axes, results, TASKS, split="out_of_distribution")
    save_figure(figure, FOLDER / "figure.svg")
    print(f"written: {FOLDER / 'figure.svg'}")


if __name__ == "__main__":
    main()
