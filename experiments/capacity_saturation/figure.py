"""Capacity against model size in one world."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results
from physlm.report.summary import summarise

BITS = "capacity/bits_per_parameter{split=train}"
MOST = "capacity/maximum_bits_per_parameter"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    means = summarise(results, ["parameters.total"], [BITS, MOST])
    runs = results.table(BITS)
    axes.plot(runs["parameters.total"], runs[BITS], "k.", alpha=0.5, label="each seed")
    axes.errorbar(
        means["parameters.total"], means[BITS], means[f"{BITS}/stderr"], capsize=4, label="mean"
    )
    axes.plot(means["parameters.total"], means[MOST], "k--", linewidth=1, label="upper bound")
    axes.axhline(2, linestyle=":", color="grey", label="2 bits per parameter")
    axes.set(
        xscale="log",
        xlabel="parameters",
        ylabel="bits per parameter",
        ylim=(0, 4),
        title="one world, 1000 exposures",
    )
    axes.set_xticks(
        means["parameters.total"].to_list(), [f"{n / 1000:.0f}k" for n in means["parameters.total"]]
    )
    axes.minorticks_off()
    axes.legend(fontsize="small")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
