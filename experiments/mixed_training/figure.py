"""Questions after the biographies and beside them, from results.csv: Part 3.1, result 1."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.extraction_figure import Arm, draw_arms
from physlm.analysis.figures import save_figure

FOLDER = Path(__file__).parent


def main() -> None:
    """Draw `figure.svg` beside this file."""
    results = pl.read_csv(FOLDER / "results.csv", infer_schema_length=None)
    mixed = results.filter(pl.col("name") == "mixed_training")
    arms = [
        Arm("questions_afterwards",
            results.filter(pl.col("name") == "people")["bio/attribute_accuracy"],
            results.filter(pl.col("name") == "extraction")),
        Arm("questions_from the start", mixed["bio/attribute_accuracy"], mixed),
    ]  # fmt: skip
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    draw_arms(figure, arms)
    save_figure(figure, FOLDER / "figure.svg")
    print(f"written: {FOLDER / 'figure.svg'}")


if __name__ == "__main__":
    main()
