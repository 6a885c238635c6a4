"""A minority told of once, alone and beside celebrities, from results.csv: Part 3.1, result 5."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.extraction_figure import Arm, draw_arms
from physlm.analysis.figures import save_figure

FOLDER = Path(__file__).parent


def main() -> None:
    """Draw `figure.svg` beside this file."""
    results = pl.read_csv(FOLDER / "results.csv", infer_schema_length=None)
    people = results.filter(pl.col("name") == "people")
    alone = pl.col("data.n_minority") == 0
    arms = [
        Arm("alone", people.filter(alone)["bio/attribute_accuracy"],
            results.filter(pl.col("name") == "extraction")),
        Arm("beside_celebrities", people.filter(~alone)["bio/attribute_accuracy"],
            results.filter(pl.col("name") == "celebrity")),
    ]  # fmt: skip
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    draw_arms(figure, arms)
    save_figure(figure, FOLDER / "figure.svg")
    print(f"written: {FOLDER / 'figure.svg'}")


if __name__ == "__main__":
    main()
