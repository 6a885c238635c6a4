"""The best head by what is written and where it looks, and what its ablation costs."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.grouped_bars import draw_grouped_bars
from physlm.report.results import Results

PREFIX = "igsm_attention/"
# What is written, and the tokens that it comes from.
SOURCES = {
    "result": "numbers",
    "number": "definition_result",
    "hint": "definition_letter",
    "name": "statement",
}
MASSES = {
    "uniform attention": ("uniform_mass", "lightgrey"),
    "best head, random weights": ("untrained_best_mass", "grey"),
    "best head": ("best_mass", "C0"),
}
RISES = {"another head": ("random", "grey"), "best head": ("top", "C0")}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    looks = results.filter(pl.col("experiment") == "igsm_attention")
    figure = Figure(figsize=(12, 4), layout="constrained")
    attention, ablation = figure.subplots(1, 2)
    masses = {
        label: ([f"{PREFIX}{name}{{from={own},to={role}}}" for own, role in SOURCES.items()], color)
        for label, (name, color) in MASSES.items()
    }
    draw_grouped_bars(attention, looks, masses)
    labels = [f"{own}\nfrom {role.replace('_', ' ')}" for own, role in SOURCES.items()]
    attention.set_xticks(range(len(SOURCES)), labels, fontsize="small")
    attention.set(title="attention to the source", ylabel="mass", ylim=(0, 1))
    rises = {
        label: ([f"{PREFIX}loss_rise{{ablated={ablated},from={own}}}" for own in SOURCES], color)
        for label, (ablated, color) in RISES.items()
    }
    draw_grouped_bars(ablation, looks, rises)
    ablation.set_xticks(range(len(SOURCES)), list(SOURCES), fontsize="small")
    ablation.set(title="without this head", ylabel="rise of the loss (nats)")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
