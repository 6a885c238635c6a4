"""P-probing along a biography and Q-probing after the name: Part 3.1, figures 5 and 7."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

TEXTS = ("single", "single_permute1", "single_permute5", "multi5", "multi5_permute", "redrawn")
ATTRIBUTES = ("birth_city", "university", "major", "employer", "company_city")
N_PLACES = 6
HELD_OUT = "qa/exact_match{split=held_out_people}"
NAMED = "q_probe/accuracy{part=whole,split=test}"
ALONG = "p_probe/accuracy{{attribute={},part=whole,position={},split=test}}"


def of_augmentation(results: Results, text: str, name: str) -> Results:
    """The runs of an experiment that start from pretraining with one augmentation."""
    start = f"+experiment=people +augmentation={text}"
    return results.filter((pl.col("experiment") == name) & (pl.col("init_from") == start))


def draw_places(axes: Axes, probes: Results, text: str) -> None:
    """Accuracy of P-probes for whole values before each attribute of a biography."""
    accuracy = np.array(
        [
            [probes.values(ALONG.format(name, place)).mean() for place in range(N_PLACES)]
            for name in ATTRIBUTES
        ]
    )
    axes.imshow(accuracy, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (row, column), value in np.ndenumerate(accuracy):
        shade = "white" if value > 0.5 else "black"
        axes.text(
            column,
            row,
            f"{100 * value:.0f}",
            ha="center",
            va="center",
            fontsize="x-small",
            color=shade,
        )
    axes.set_title(text.replace("_", " "), fontsize="small")
    axes.set_xticks(range(N_PLACES), [str(place + 1) for place in range(N_PLACES)])
    axes.set_yticks(range(len(ATTRIBUTES)), [name.replace("_", " ") for name in ATTRIBUTES])
    axes.tick_params(labelsize="x-small")


def draw_names(axes: Axes, results: Results, texts: list[str]) -> None:
    """QA accuracy on held-out people against Q-probe accuracy, one dot per run."""
    for i, text in enumerate(texts):
        probes = of_augmentation(results, text, "attribute_probing").table(NAMED).sort("seed")
        qa = of_augmentation(results, text, "extraction").table(HELD_OUT).sort("seed")
        axes.plot(probes[NAMED], qa[HELD_OUT], "o", color=f"C{i}", label=text.replace("_", " "))
    axes.set(
        xlabel="Q-probe accuracy, whole values", ylabel="QA accuracy, held-out people", ylim=(0, 1)
    )
    axes.set_xlim(left=0)
    axes.legend(fontsize="x-small")


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    texts = [
        text for text in TEXTS if len(of_augmentation(results, text, "attribute_probing").runs)
    ]
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2, 1))
    places = left.subplots(2, (len(texts) + 1) // 2, sharex=True, sharey=True)
    for axes, text in zip(places.flat, texts, strict=False):
        draw_places(axes, of_augmentation(results, text, "attribute_probing"), text)
    left.supxlabel("P-probe accuracy (%) before the n-th attribute of the text", fontsize="small")
    draw_names(right.subplots(), results, texts)
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
