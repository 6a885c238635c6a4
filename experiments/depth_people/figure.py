"""Depth of facts about people: lenses, onset by part of the text, and differences."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars, draw_lenses
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

CLASSES = ("template", "name_later", "pronoun", "value_first", "value_later")
PLACES = ((1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (4, 1), (4, 2), (4, 3), (4, 4))
FACT = "depth/facts/difference{{depth=onset,first=first,matched={},second=later}}"
CLASS = "depth/class/difference{{depth=onset,first=value_first,matched={},second=template}}"
DIFFERENCES = {
    "first - later token": FACT.format("nothing"),
    "... of equal probability": FACT.format("final_probability"),
    "... of equal true entropy": FACT.format("true_entropy_nats"),
    "value - sentence frame": CLASS.format("nothing"),
    "... of equal probability ": CLASS.format("final_probability"),
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    (lenses, classes), (facts, differences) = figure.subplots(2, 2)
    draw_lenses(lenses, results)
    onsets = {name.replace("_", " "): f"depth/class/onset{{class={name}}}" for name in CLASSES}
    draw_bars(classes, results, onsets, "onset (blocks)")
    classes.set(title="parts of a biography")
    tokens = {
        f"{place} of {length}": f"depth/facts/onset{{length={length},position={place}}}"
        for length, place in PLACES
    }
    draw_bars(facts, results, tokens, "onset (blocks)")
    facts.set(title="tokens of a value")
    draw_bars(differences, results, DIFFERENCES, "difference of onsets (blocks)")
    differences.set(title="differences")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
