"""What probes read from states, the steps that they flag, and what retries are worth."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.measurement import metric_text
from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.grouped_bars import draw_grouped_bars
from physlm.report.results import Results

TASKS = ("nece", "dep", "known", "value", "can_next", "nece_next")
SETS = {"known_templates": "templates\nof training", "trained": "held-out", "longer": "longer"}
PROBES = {
    "templates of training": ("trained", "known_templates", "C0"),
    "templates of training, random weights": ("random", "known_templates", "lightgrey"),
    "held-out templates": ("trained", "trained", "C1"),
    "held-out templates, random weights": ("random", "trained", "grey"),
    "held-out templates, names alone": ("names", "trained", "black"),
}
DETECTORS = {"none": "lightgrey", "random": "grey", "probe": "C0", "perfect": "C2"}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    probes = results.filter(experiment="igsm_probing")
    figure = Figure(figsize=(15, 4.2), layout="constrained")
    read, flagged, solved = figure.subplots(1, 3, width_ratios=[1.8, 1, 1])
    correlations = {
        label: (probes, _correlations(model, own), color)
        for label, (model, own, color) in PROBES.items()
    }
    draw_grouped_bars(read, correlations, TASKS)
    read.axhline(0, color="black", linewidth=0.5)
    read.set(title="what probes read from states", ylabel="Matthews' correlation", ylim=(None, 1.3))
    steps = {
        f"{kind} steps": (probes, [_metric("regretted", own, step=kind) for own in SETS], color)
        for kind, color in (("right", "C2"), ("wrong", "C3"))
    }
    draw_grouped_bars(flagged, steps, list(SETS.values()))
    flagged.set(title="steps that the probe flags", ylabel="fraction", ylim=(0, 1))
    retries = {
        kind: (probes, [_metric("solved", own, detector=kind) for own in SETS], color)
        for kind, color in DETECTORS.items()
    }
    draw_grouped_bars(solved, retries, list(SETS.values()))
    solved.set(title="solved, by detector of mistakes", ylabel="fraction", ylim=(0, 1))
    return figure


def _correlations(model: str, own: str) -> list[str]:
    """The metric of each task; names alone predict only the first two."""
    tasks = TASKS[:2] if model == "names" else TASKS
    return [_metric("matthews", own, model=model, task=task) for task in tasks]


def _metric(name: str, own: str, **dims: str) -> str:
    """The text of a metric of a set of problems."""
    return metric_text(f"igsm_probe/{name}", {"set": own, **dims})


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
