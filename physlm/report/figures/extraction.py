"""Knowledge storage and extraction by augmentation, as bars: Part 3.1, figure 3."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.errors import InputError
from physlm.report.results import Results
from physlm.report.summary import varying_science

_TRAIN_PEOPLE, _HELD_OUT_PEOPLE = "train_people", "held_out_people"
_BARS = ("recall", "QA, train people", "QA, held-out people", "chance")

_STORED = "recall/accuracy{split=train}"
_IS_ALONE = pl.col("data.n_minority") == 0
_COLUMNS = [f"data.augmentation.{name}" for name in ("n_paraphrases", "n_permutations", "order")]
# The arms of the ladder, with the values of these columns.
AUGMENTATIONS = {
    "single": (1, 1, "fixed"),
    "single_permute1": (1, 1, "random"),
    "single_permute5": (1, 5, "random"),
    "multi5": (5, 1, "fixed"),
    "multi5_permute": (5, 1, "random"),
    "redrawn": (0, 1, "random"),
}

# Arms beside a minority, with the augmentation of the celebrities.
_CELEBRITIES = {"beside_single_texts": "single_permute1", "beside_celebrities": "multi5_permute"}


class Arm(NamedTuple):
    """Runs of one augmentation.

    Attributes:
        label: Label below the bars; underscores break lines.
        stored: Attribute recall, one value per run.
        qa: Results of the runs that were trained on questions.
    """

    label: str
    stored: pl.Series
    qa: Results


def draw_augmentations(results: Results) -> Figure:
    """The bars of each augmentation of the biographies.

    Args:
        results: Results of ``people`` and ``extraction`` with every augmentation.

    Raises:
        InputError: If the pretraining runs of an augmentation have more than one configuration.
    """
    return draw_arms([_arm(results, name) for name in AUGMENTATIONS])


def _arm(results: Results, name: str) -> Arm:
    people = results.filter(
        experiment="people", **dict(zip(_COLUMNS, AUGMENTATIONS[name], strict=True))
    )
    if mixed := varying_science(people.runs):
        raise InputError(f"results have people of {name} with several {', '.join(mixed)}")
    qa = results.filter(init_from=f"+experiment=people +augmentation={name}")
    return Arm(name, people.values(_STORED), qa)


def draw_celebrities(results: Results) -> Figure:
    """The bars of a minority alone and beside celebrities, whose texts may have controls.

    Args:
        results: Results of ``people``, ``extraction`` and ``celebrity``.
    """
    people = results.filter(experiment="people")
    alone, beside = people.filter(_IS_ALONE), people.filter(~_IS_ALONE)
    arms = [Arm("alone", alone.values(_STORED), results.filter(experiment="extraction"))]
    for label, augmentation in _CELEBRITIES.items():
        starts_there = pl.col("init_from").str.contains(
            f"+augmentation={augmentation} ", literal=True
        )
        asked = results.filter(starts_there, experiment="celebrity")
        if asked.runs.height:
            stored = beside.filter(pl.col(_COLUMNS[0]) == AUGMENTATIONS[augmentation][0])
            arms.append(Arm(label, stored.values(_STORED), asked))
    return draw_arms(arms)


def draw_mixed_training(results: Results) -> Figure:
    """The bars of QA finetuning after pretraining, and of mixed training.

    Args:
        results: Results of ``people``, ``extraction`` and ``mixed_training``.
    """
    people = results.filter(experiment="people")
    mixed = results.filter(experiment="mixed_training")
    return draw_arms(
        [
            Arm("QA_finetuning", people.values(_STORED), results.filter(experiment="extraction")),
            Arm("mixed_training", mixed.values(_STORED), mixed),
        ]
    )


def draw_arms(arms: Sequence[Arm]) -> Figure:
    """Totals with runs as dots on the left; each attribute of held-out people on the right.

    Args:
        arms: From left to right, and from light to dark.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    totals, parts = figure.subplots(1, 2)
    _draw_totals(totals, arms)
    _draw_attributes(parts, arms)
    for axes in (totals, parts):
        axes.set(ylabel="accuracy", ylim=(0, 1.05))
        axes.legend(fontsize="x-small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _draw_totals(axes: Axes, arms: Sequence[Arm]) -> None:
    for i, arm in enumerate(arms):
        metrics = (
            ("exact_match", _TRAIN_PEOPLE),
            ("exact_match", _HELD_OUT_PEOPLE),
            ("chance", _HELD_OUT_PEOPLE),
        )
        groups = (arm.stored, *(arm.qa.values(f"qa/{n}{{split={split}}}") for n, split in metrics))
        for j, (label, column) in enumerate(zip(_BARS, groups, strict=True)):
            place, values = i + 0.2 * (j - 1.5), column.to_numpy()
            axes.bar(place, values.mean(), 0.2, color=f"C{j}", label=label if i == 0 else None)
            axes.plot([place] * len(values), values, "k.", markersize=3)
    axes.set_xticks(range(len(arms)), [_lines(arm.label) for arm in arms], fontsize="small")


def _draw_attributes(axes: Axes, arms: Sequence[Arm]) -> None:
    width = 0.8 / len(arms)
    shades = np.linspace(0.75, 0.05, len(arms))
    found = [_by_attribute(arm.qa) for arm in arms]
    names = list(found[0])
    for i, (arm, shade) in enumerate(zip(arms, shades, strict=True)):
        places = np.arange(len(names)) + width * (i - (len(arms) - 1) / 2)
        means = [found[i][name].to_numpy().mean() for name in names]
        axes.bar(places, means, width, color=str(shade), label=arm.label)
    axes.set_xticks(range(len(names)), [_lines(name) for name in names], fontsize="small")


def _by_attribute(qa: Results) -> dict[str, pl.Series]:
    """QA accuracy on held-out people per run, in the order of attributes."""
    rows = qa.along("qa/exact_match").filter(split=_HELD_OUT_PEOPLE).drop_nulls("attribute")
    parts = rows.partition_by("attribute", as_dict=True, maintain_order=True)
    return {str(name): own["value"] for (name,), own in parts.items()}


def _lines(name: str) -> str:
    return name.replace("_", "\n")
