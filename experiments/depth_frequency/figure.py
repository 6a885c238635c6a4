"""Frequent tokens over depth: guesses and masses, flips, and lenses."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars, draw_lenses, draw_over_states
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

BUCKETS = ("top_10", "top_100", "top_1000", "rest")
KIND = (
    "depth/class/difference{{depth=onset,first=content,matched={},predictions=right,"
    "second=function}}"
)
DIFFERENCES = {
    "content - function words": KIND.format("nothing"),
    "... of equal probability": KIND.format("final_probability"),
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(14, 7), layout="constrained")
    (guesses, masses, lenses), (flips, excess, differences) = figure.subplots(2, 3)
    own = {name.replace("_", " "): {"bucket": name, "lens": "own"} for name in BUCKETS}
    others = {
        "top 10, logit lens": {"bucket": "top_10", "lens": "logit"},
        "top 10, weighted lens": {"bucket": "top_10", "lens": "weighted"},
        "top 10, untrained model": {"bucket": "top_10", "lens": "untrained"},
    }
    draw_over_states(guesses, results, "depth/frequency/top1_fraction", own | others)
    guesses.set(ylabel="fraction of top-1 tokens", title="guesses", ylim=(0, 1.2))
    guesses.legend(fontsize="x-small", ncols=2, loc="upper center")
    draw_over_states(masses, results, "depth/frequency/mass", own)
    masses.set(ylabel="probability", title="mass (tuned lens)", ylim=(0, 1))
    draw_lenses(lenses, results)
    draw_over_states(flips, results, "depth/flips/fraction", own)
    flips.set(ylabel="fraction given up", title="flips (tuned lens)", ylim=(0, 1))
    draw_over_states(excess, results, "depth/flips/excess_agreement", own)
    excess.set(ylabel="agreement beyond chance", title="1 - flips / expected flips")
    draw_bars(differences, results, DIFFERENCES, "difference of onsets (blocks)")
    differences.set(title="kinds of words")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
