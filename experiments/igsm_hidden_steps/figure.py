"""Answers of models trained with and without steps, by number of operations."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

OPERATIONS = (1, 2, 3, 4, 5)


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    steps, no_steps = (
        results.filter(experiment=name) for name in ("igsm_learn", "igsm_hidden_steps")
    )
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    known, held_out = figure.subplots(1, 2, sharey=True)
    for axes, sets, title in (
        (known, ("known_templates", "known_templates", "known_templates"), "templates of training"),
        (held_out, ("trained", "shorter", "shorter"), "held-out templates"),
    ):
        with_steps, without, chance = sets
        _line(axes, steps, "answer_accuracy", with_steps, "with steps")
        _line(axes, no_steps, "answer_accuracy", without, "without steps")
        _line(axes, no_steps, "chance", chance, "most common answer")
        axes.set(title=title, xlabel="operations", ylim=(-0.02, 1.02))
        axes.set_xticks(OPERATIONS)
    known.set_ylabel("fraction of right answers")
    known.legend()
    return figure


def _line(axes: Axes, results: Results, name: str, within: str, label: str) -> None:
    """Means over runs with a bar of one standard error; the largest problems have their own set."""
    means, errors = [], []
    for op in OPERATIONS:
        is_apart = op == OPERATIONS[-1] and within != "known_templates"
        values = results.values(f"igsm/{name}{{op={op},set={'longest' if is_apart else within}}}")
        means.append(values.mean())
        errors.append(values.std() / len(values) ** 0.5)
    style = {"color": "grey", "linestyle": ":"} if name == "chance" else {"marker": "o"}
    axes.errorbar(OPERATIONS, means, errors, label=label, **style)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
