"""Validity by position variant, from results.csv: Part 1, figure 4, at our scale."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure

FOLDER = Path(__file__).parent
VARIANTS = {"learned": "absolute", "none": "none", "uniform": "uniform",
            "position_only": "position\nonly", "rope": "rotary",
            "relative": "relative"}  # fmt: skip


def main() -> None:
    """Draw `figure.svg` beside this file."""
    results = pl.read_csv(FOLDER / "results.csv", infer_schema_length=None)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    validity, distance = figure.subplots(1, 2)
    for axes, metric in ((validity, "cfg/accuracy_prefix_0"), (distance, "cfg/kl_nats")):
        for i, variant in enumerate(VARIANTS):
            values = results.filter(pl.col("model.position") == variant)[metric]
            axes.bar(i, values.mean(), color=f"C{i}")
            axes.plot([i] * len(values), values, "k.", markersize=4)
        axes.set_xticks(np.arange(len(VARIANTS)), list(VARIANTS.values()))
    validity.set(ylabel="share of valid strings", ylim=(0, 1), title="written from the start")
    distance.set(ylabel="nats per token", yscale="log", title="KL to the truth")
    save_figure(figure, FOLDER / "figure.svg")
    print(f"written: {FOLDER / 'figure.svg'}")


if __name__ == "__main__":
    main()
