"""Bits per parameter about worlds of several sizes, against the parameters for each bit."""

import math
from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

BITS = "capacity/name_value_bits_per_parameter{split=train}"
N_NAMES, VALUE_BITS = 32**3, 6 * 8
COLOURS = {10: "tab:grey", 30: "tab:red", 100: "tab:orange", 300: "tab:green", 1000: "tab:blue"}
MARKERS = {16: "o", 24: "s", 32: "^", 48: "D"}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    shown: set[str] = set()
    for row in results.table(BITS).sort("data.exposures", "model.d_model").iter_rows(named=True):
        people, exposures, width = row["data.n_people"], row["data.exposures"], row["model.d_model"]
        world = people * (math.log2(N_NAMES / people) + VALUE_BITS)
        label = f"{exposures} exposures, width {width}"
        axes.plot(
            row["parameters.total"] / world,
            row[BITS],
            MARKERS[width],
            color=COLOURS[exposures],
            alpha=0.7,
            label=label if label not in shown else None,
        )
        shown.add(label)
    axes.axhline(0, color="grey", linewidth=0.5)
    axes.set(
        xlabel="parameters for each bit of names and values",
        ylabel="bits of names and values\nstored per parameter",
        xscale="log",
    )
    axes.legend(fontsize="x-small", ncols=2)
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
