"""The best head by what is written and where it looks, and what its ablation costs."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.measurement import metric_text
from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.grouped_bars import draw_grouped_bars
from physlm.report.results import Results

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
        label: (looks, [_metric(name, own, to=role) for own, role in SOURCES.items()], color)
        for label, (name, color) in MASSES.items()
    }
    labels = [f"{own}\nfrom {role.replace('_', ' ')}" for own, role in SOURCES.items()]
    draw_grouped_bars(attention, masses, labels)
    attention.set(title="attention to the source", ylabel="mass", ylim=(0, 1))
    rises = {
        label: (looks, [_metric("loss_rise", own, ablated=ablated) for own in SOURCES], color)
        for label, (ablated, color) in RISES.items()
    }
    draw_grouped_bars(ablation, rises, list(SOURCES))
    ablation.set(title="without this head", ylabel="rise of the loss (nats)")
    return figure


def _metric(name: str, own: str, **dims: str) -> str:
    """The text of a metric about what is written."""
    return metric_text(f"igsm_attention/{name}", {"from": own, **dims})


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
