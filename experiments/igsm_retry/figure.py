"""Solutions and answers of models trained with and without retracted mistakes."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.grouped_bars import draw_grouped_bars
from physlm.report.results import Results

SETS = {
    "templates\nof training": "set=known_templates",
    "held-out\ntemplates": "set=trained",
    "5 operations": "op=5,set=longest",
    "6 operations": "op=6,set=longer",
    "6, asked\nagain": "op=6,set=reask",
}
ARMS = {"without": ("igsm_learn", "C7"), "retracted mistakes": ("igsm_retry", "C0")}
PANELS = {
    "accuracy": "whole solutions without fault",
    "answer_accuracy": "right answers",
    "necessity": "solutions without needless steps or missing ones",
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(15, 4.2), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
        metrics = [f"igsm/{name}{{{dims}}}" for dims in SETS.values()]
        bars = {
            label: (results.filter(experiment=experiment), metrics, color)
            for label, (experiment, color) in ARMS.items()
        }
        draw_grouped_bars(axes, bars, list(SETS))
        axes.set(title=title, ylim=(0, 1))
    panels[0].set_ylabel("fraction of problems")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
