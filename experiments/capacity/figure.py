"""Bits learned against parameters: Part 3.3, figure 1, at laptop scale."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results
from physlm.report.summary import summarise

LEARNED, MOST = "capacity/total_bits{split=train}", "capacity/maximum_bits_per_parameter"
BITS = "capacity/bits_per_parameter{split=train}"
COLOURS = {1000: "tab:blue", 300: "tab:green", 100: "tab:orange"}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    bits, ratio = figure.subplots(1, 2)
    _draw_bits(bits, results)
    _draw_ratio(ratio, results)
    return figure


def _draw_bits(axes, results: Results) -> None:
    """Bits learned, with lines of 2 and 1 bits per parameter, and the entropy of the world."""
    by = ["data.exposures", "parameters.total"]
    for exposures, rows in _groups(summarise(results, by, [LEARNED])):
        axes.errorbar(
            rows["parameters.total"],
            rows[LEARNED],
            rows[f"{LEARNED}/stderr"],
            marker="o",
            capsize=3,
            color=COLOURS[exposures],
            label=f"{exposures} exposures",
        )
    runs = results.table(MOST)
    sizes = sorted(runs["parameters.total"].unique())
    for slope, style in ((2, "--"), (1, ":")):
        axes.plot(
            sizes,
            [slope * p for p in sizes],
            style,
            color="grey",
            label=f"{slope} bit{'s' * (slope > 1)} per parameter",
        )
    most = (runs[MOST] * runs["parameters.total"]).max()
    axes.axhline(most, color="black", linewidth=1, label="entropy of the world")
    axes.set(xlabel="parameters", ylabel="bits learned", ylim=(-0.15 * most, 1.25 * most))
    axes.set_xticks(sizes, [f"{p:,}" for p in sizes])
    axes.legend(fontsize="small", loc="lower right")


def _draw_ratio(axes, results: Results) -> None:
    """Bits per parameter against the upper bound of the world, one dot per run."""
    runs = results.table(BITS, MOST)
    for exposures, rows in _groups(runs):
        axes.plot(rows[MOST], rows[BITS], "o", alpha=0.6, color=COLOURS[exposures])
    top = runs[MOST].max()
    axes.plot([0, top], [0, top], color="black", linewidth=1)
    axes.annotate("upper bound", (0.35 * top, 0.38 * top), rotation=35)
    for level, style in ((2, "--"), (1, ":")):
        axes.axhline(level, linestyle=style, color="grey")
    axes.set(
        xlabel="upper bound of the world (bits per parameter)",
        ylabel="bits per parameter",
        ylim=(-0.8, 2.5),
    )


def _groups(table: pl.DataFrame):
    groups = table.partition_by("data.exposures", as_dict=True)
    return sorted(((key[0], rows) for key, rows in groups.items()), reverse=True)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
