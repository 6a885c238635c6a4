"""Remainders of months and of luck, straight and after facts, from results.csv."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure
from physlm.analysis.manipulation_figure import draw_tasks

FOLDER = Path(__file__).parent
TASKS = (
    *(f"birth_month_mod_{m}" for m in (2, 6, 12)),
    *(f"major_luck_mod_{m}" for m in (5, 20, 100)),
)


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
