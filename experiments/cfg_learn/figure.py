"""Validity and KL during and after training."""

from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

FOLDER = Path(__file__).parent
PREFIXES = {0: "from the start", 20: "after 20 tokens"}
PUBLISHED = {"cfg3b": 0.998, "cfg3g": 0.986, "cfg3f": 0.976}  # whole grammars, rotary
GRAMMARS = ("cfg3b", "cfg3i", "cfg3h", "cfg3g", "cfg3f")


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    curve = pl.read_csv(FOLDER / "curve.csv", schema_overrides={"run_id": pl.String})
    curve = curve.join(results.runs.select("run_id", "data.grammar"), on="run_id")
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    validity, distance, grammars = figure.subplots(1, 3)
    draw_validity(validity, curve.filter(pl.col("data.grammar") == "cfg3b"))
    draw_distance(distance, curve)
    draw_grammars(grammars, results)
    return figure


def draw_validity(axes: Axes, curve: pl.DataFrame) -> None:
    """Fraction of valid strings against tokens, one line per seed."""
    curve = curve.filter(pl.col("metric") == "cfg/accuracy")
    for number, (_, runs) in enumerate(sorted(curve.group_by("seed"))):
        for prefix, label in PREFIXES.items():
            rows = runs.filter(pl.col("dims") == f"prefix={prefix},split=test")
            axes.plot(
                rows["tokens"] / 1e6,
                rows["value"],
                color="tab:gray" if prefix else "black",
                label=label if number == 0 else None,
            )
    axes.set(
        xlabel="million tokens",
        ylabel="fraction of valid strings",
        ylim=(-0.03, 1.03),
        title="cfg3b",
    )
    axes.legend(fontsize="small")


def draw_distance(axes: Axes, curve: pl.DataFrame) -> None:
    """KL against tokens, one line per grammar and seed."""
    curve = curve.filter(pl.col("metric") == "cfg/kl_nats")
    for i, grammar in enumerate(GRAMMARS):
        runs = curve.filter(pl.col("data.grammar") == grammar).group_by("seed")
        for number, (_, rows) in enumerate(sorted(runs)):
            axes.semilogy(
                rows["tokens"] / 1e6,
                rows["value"],
                color=f"C{i}",
                linewidth=1,
                label=grammar if number == 0 else None,
            )
    axes.set(xlabel="million tokens", ylabel="KL, nats per token")
    axes.legend(fontsize="small")


def draw_grammars(axes: Axes, results: Results) -> None:
    """Fraction of valid strings generated from scratch, after training."""
    for i, grammar in enumerate(GRAMMARS):
        runs = results.filter(pl.col("data.grammar") == grammar)
        values = runs.values("cfg/accuracy{prefix=0,split=test}")
        axes.bar(i, values.mean(), color=f"C{i}")
        axes.plot([i] * len(values), values, "k.", markersize=4)
        if grammar in PUBLISHED:
            axes.plot(
                i,
                PUBLISHED[grammar],
                "D",
                color="tab:gray",
                label="paper, whole grammar" if grammar == "cfg3b" else None,
            )
    axes.set_xticks(range(len(GRAMMARS)), GRAMMARS)
    axes.set(ylabel="fraction of valid strings", ylim=(0, 1.03), title="from scratch")
    axes.legend(fontsize="small", loc="center right")


if __name__ == "__main__":
    draw_experiment(FOLDER, draw)
