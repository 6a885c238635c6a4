"""Depth of predictions by level of a grammar: lenses, onset by level, and differences."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars, draw_lenses, draw_over_states
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

CLASSES = ("inside", "level_4", "level_3", "level_2")
PAIRS = (
    ("level_4", "inside"),
    ("level_3", "inside"),
    ("level_2", "inside"),
    ("level_2", "level_4"),
)
DIMS = "depth/class/difference{{depth=onset,first={},matched={},second={}}}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    (lenses, truth), (classes, differences) = figure.subplots(2, 2)
    draw_lenses(lenses, results)
    draw_over_states(truth, results, "lens/true_kl_nats", {"tuned": {"lens": "own"}})
    draw_over_states(truth, results, "lens/kl_nats", {"to the model": {"lens": "own"}})
    truth.set(title="tuned lens", ylabel="KL to the true distribution (nats)")
    onsets = {name.replace("_", " "): f"depth/class/onset{{class={name}}}" for name in CLASSES}
    draw_bars(classes, results, onsets, "onset (blocks)")
    classes.set(title="levels that end before the token")
    metrics = {}
    for first, second in PAIRS:
        pair = f"{first} - {second}".replace("_", " ")
        metrics[pair] = DIMS.format(first, "nothing", second)
        metrics[f"{pair}, equal entropy"] = DIMS.format(first, "true_entropy_nats", second)
    draw_bars(differences, results, metrics, "difference of onsets (blocks)")
    differences.set(title="differences")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
