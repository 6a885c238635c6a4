"""P-probing along a biography and Q-probing after the name, by augmentation: figures 5 and 7."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.extraction import AUGMENTATIONS
from physlm.report.results import Results

_ATTRIBUTES = ("birth_city", "university", "major", "employer", "company_city")
_N_PLACES = 6
_HELD_OUT = "qa/exact_match{split=held_out_people}"
_NAMED = "q_probe/accuracy{part=whole,split=test}"
_ALONG = "p_probe/accuracy{{attribute={},part=whole,position={},split=test}}"


def draw_probes_of_augmentations(results: Results) -> Figure:
    """P-probes along a biography by augmentation, and Q-probes beside QA accuracy.

    Args:
        results: Results of ``attribute_probing`` and ``extraction``.
    """
    texts = [
        text
        for text in AUGMENTATIONS
        if len(_of_augmentation(results, text, "attribute_probing").runs)
    ]
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(2, 1))[0]
    places = left.subplots(2, (len(texts) + 1) // 2, sharex=True, sharey=True)
    for axes, text in zip(places.flat, texts, strict=False):
        _draw_places(axes, _of_augmentation(results, text, "attribute_probing"), text)
    left.supxlabel("P-probe accuracy (%) before the n-th attribute of the text", fontsize="small")
    _draw_names(right.subplots(), results, texts)
    return figure


def _of_augmentation(results: Results, text: str, name: str) -> Results:
    """The runs of an experiment that start from pretraining with one augmentation."""
    start = f"+experiment=people +augmentation={text}"
    return results.filter(experiment=name, init_from=start)


def _draw_places(axes: Axes, probes: Results, text: str) -> None:
    """Accuracy of P-probes for whole values before each attribute of a biography."""
    accuracy = np.array(
        [
            [probes.values(_ALONG.format(name, place)).mean() for place in range(_N_PLACES)]
            for name in _ATTRIBUTES
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
    axes.set_xticks(range(_N_PLACES), [str(place + 1) for place in range(_N_PLACES)])
    axes.set_yticks(range(len(_ATTRIBUTES)), [name.replace("_", " ") for name in _ATTRIBUTES])
    axes.tick_params(labelsize="x-small")


def _draw_names(axes: Axes, results: Results, texts: list[str]) -> None:
    """QA accuracy on held-out people against Q-probe accuracy, one dot per run."""
    for i, text in enumerate(texts):
        probes = _of_augmentation(results, text, "attribute_probing").table(_NAMED).sort("seed")
        qa = _of_augmentation(results, text, "extraction").table(_HELD_OUT).sort("seed")
        axes.plot(probes[_NAMED], qa[_HELD_OUT], "o", color=f"C{i}", label=text.replace("_", " "))
    axes.set(
        xlabel="Q-probe accuracy, whole values", ylabel="QA accuracy, held-out people", ylim=(0, 1)
    )
    axes.set_xlim(left=0)
    axes.legend(fontsize="x-small")
