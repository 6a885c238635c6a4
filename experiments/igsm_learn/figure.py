"""Solutions of grade-school mathematics: accuracy by set of problems, aspects, and first faults."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

SETS = {
    "templates of training": "set=known_templates",
    "held-out templates": "set=trained",
    "5 operations": "op=5,set=longest",
    "6 operations": "op=6,set=longer",
    "6, asked again": "op=6,set=reask",
}
LONGEST = "op=5,set=longest"
ASPECTS = ("format", "order", "calculation", "necessity")
TOKENS = {
    "name of a parameter": "parameter",
    "letters of a formula": "letter",
    "operands": "operand",
    "numbers of operands": "number",
    "result": "result",
    "answer": "answer",
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    trained = results.filter(pl.col("data.n_documents") > 1000)
    figure = Figure(figsize=(13, 8), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    for axes, (name, title) in zip(
        panels,
        {"accuracy": "whole solution", "answer_accuracy": "answer alone"}.items(),
        strict=False,
    ):
        metrics = {label: f"igsm/{name}{{{dims}}}" for label, dims in SETS.items()}
        draw_bars(axes, trained, metrics, "fraction of problems")
        axes.set(title=title, xlim=(0, 1))
    parts = {aspect: f"igsm/{aspect}{{{LONGEST}}}" for aspect in ASPECTS}
    draw_bars(panels[2], trained, parts, "fraction of solutions without such a fault")
    panels[2].set(title="5 operations, by aspect", xlim=(0, 1))
    tokens = {
        label: f"igsm/token_accuracy{{op=5,role={role},set=longest}}"
        for label, role in TOKENS.items()
    }
    draw_bars(panels[3], trained, tokens, "fraction of tokens predicted")
    panels[3].set(title="5 operations, after the true words", xlim=(0, 1))
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
