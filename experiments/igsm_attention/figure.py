"""The best head by what is written and where it looks, and what its ablation costs."""

from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
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
        label: ([f"{name}{{from={own},to={role}}}" for own, role in SOURCES.items()], color)
        for label, (name, color) in MASSES.items()
    }
    _draw_groups(attention, looks, masses)
    labels = [f"{own}\nfrom {role.replace('_', ' ')}" for own, role in SOURCES.items()]
    attention.set_xticks(range(len(SOURCES)), labels, fontsize="small")
    attention.set(title="attention to the source", ylabel="mass", ylim=(0, 1))
    rises = {
        label: ([f"loss_rise{{ablated={ablated},from={own}}}" for own in SOURCES], color)
        for label, (ablated, color) in RISES.items()
    }
    _draw_groups(ablation, looks, rises)
    ablation.set_xticks(range(len(SOURCES)), list(SOURCES), fontsize="small")
    ablation.set(title="without this head", ylabel="rise of the loss (nats)")
    return figure


def _draw_groups(axes: Axes, results: Results, groups: dict[str, tuple[list[str], str]]) -> None:
    """Bars side by side for each metric, with a dot for every seed."""
    width = 0.8 / len(groups)
    for i, (label, (metrics, color)) in enumerate(groups.items()):
        for j, metric in enumerate(metrics):
            values = results.values(f"igsm_attention/{metric}").to_numpy()
            place = j + (i - (len(groups) - 1) / 2) * width
            axes.bar(place, values.mean(), width, color=color, label=label if j == 0 else None)
            axes.plot([place] * len(values), values, "k.", markersize=4)
    axes.legend(fontsize="small")


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
