"""The entries of a scorecard, from the metrics of records."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from physlm.data.public.questions import TASKS, PublicTask
from physlm.data.tasks.comparison import Comparison, Remainder
from physlm.data.tasks.inverse import BornInYear, Inverse
from physlm.data.tasks.manipulation_tasks import tasks
from physlm.measurement import Dim, Metric, by_text, metric_text
from physlm.report.scorecard.card import COUNT, Entry, Section

_HELD_OUT, _TRAINED = "held_out_people", "train_people"


def entries_of(metrics: Iterable[Metric]) -> tuple[Entry, ...]:
    """All entries that metrics give, in the order of tests."""
    found = by_text(metrics)
    parts = (_capacity, _recall, _qa, _manipulation, _public, _own_task, _depth, _spectra)
    return tuple(entry for part in parts for entry in part(found))


def _capacity(found: Mapping[str, Metric]) -> Iterator[Entry]:
    yield from _entries(
        found,
        Section.capacity,
        {
            "bits of knowledge per parameter": "capacity/bits_per_parameter{split=train}",
            "upper bound of its world": "capacity/maximum_bits_per_parameter",
        },
    )


def _recall(found: Mapping[str, Metric]) -> Iterator[Entry]:
    name = "recall/accuracy{split=train}"
    yield from _entries(found, Section.retrieval, {"facts continued in training text": name})


def _qa(found: Mapping[str, Metric]) -> Iterator[Entry]:
    for split, people in ((_HELD_OUT, "held-out people"), (_TRAINED, "train people (control)")):
        dims = {"split": split}
        name, chance = "qa/exact_match", metric_text("qa/chance", dims)
        labels = {f"questions about {people}": metric_text(name, dims)}
        yield from _entries(found, Section.retrieval, labels, chance)
    labels = {
        "questions in other words, held-out people": f"qa/held_out_paraphrases{{split={_HELD_OUT}}}"
    }
    yield from _entries(found, Section.phrasing, labels)


def _manipulation(found: Mapping[str, Metric]) -> Iterator[Entry]:
    for name in _tasks_of(found, "manipulation/accuracy"):
        section, what = _section_of(name), name.replace("_", " ")
        dims: dict[str, Dim] = {"split": _HELD_OUT, "task": name}

        def text(metric: str, dims: Mapping[str, Dim] = dims) -> str:
            return metric_text(f"manipulation/{metric}", dims)

        labels = {
            what: text("accuracy"),
            "... with the facts written first": text("accuracy_with_hint"),
        }
        yield from _entries(found, section, _about(what, labels), text("chance"))
        yield from _effect(found, section, what, text("accuracy_with_hint"), text("accuracy"))
        labels = {
            "... facts that are written right": text("hint_accuracy"),
            "... train people (control)": text("accuracy", {**dims, "split": _TRAINED}),
        }
        yield from _entries(found, section, _about(what, labels))


def _public(found: Mapping[str, Metric]) -> Iterator[Entry]:
    for task in TASKS:
        for split in ("test", "train"):
            yield from _public_task(found, task, {"split": split, "task": task.name})


def _public_task(
    found: Mapping[str, Metric], task: PublicTask, dims: Mapping[str, Dim]
) -> Iterator[Entry]:
    def text(metric: str, **more: Dim) -> str:
        return metric_text(f"public_figures/{metric}", {**dims, **more})

    section, what = _public_section(task), f"public figures: {task.name.replace('_', ' ')}"
    given = "... the facts given" + (" among others'" if task.is_inverse else "") + " (control)"
    labels = {
        what: text("accuracy"),
        "... where it knows the dates": text("accuracy_where_known"),
        "... with the facts written first": text("accuracy_with_hint"),
        given: text("accuracy_given_hint"),
    }
    yield from _entries(found, section, _about(what, labels), text("chance"))
    labels = {
        "... effect of writing the facts": text("hint_effect"),
        "... facts that are written right": text("hint_accuracy"),
        "... cut off while reasoning": text("cut_off"),
    }
    yield from _entries(found, section, _about(what, labels))
    wordings = [text("phrasing_accuracy", phrasing=k) for k in range(task.n_phrasings)]
    measured = [found[name] for name in wordings if name in found]
    if measured:
        least, most = (choose(measured, key=lambda m: m.value) for choose in (min, max))
        labels = {
            f"{what}, in the worst of {len(measured)} wordings": least.text,
            f"{what}, in the best of {len(measured)}": most.text,
            f"{what}, all wordings right or all wrong": text("phrasing_agreement"),
        }
        yield from _entries(found, Section.phrasing, labels)


def _own_task(found: Mapping[str, Metric]) -> Iterator[Entry]:
    """Accuracies of synthetic tasks, grammars and iGSM, each with its chance if it has one."""
    for metric in found.values():
        family, _, name = metric.name.partition("/")
        if (family, name) in {
            ("task", "accuracy"),
            ("cfg", "accuracy"),
            ("igsm", "accuracy"),
            ("igsm", "answer_accuracy"),
        }:
            chance = metric_text(f"{family}/chance", metric.dims)
            label = metric.text if family != "task" else f"answers right {_in_words(metric.dims)}"
            yield from _entries(found, Section.task, {label.strip(): metric.text}, chance)


def _depth(found: Mapping[str, Metric]) -> Iterator[Entry]:
    """Where predictions settle, with the agreement of every state's with the last one."""
    states = sorted(
        (metric.dims["state"], metric.value)
        for metric in found.values()
        if metric.name == "depth/agreement" and metric.dims.get("lens") == "own"
    )
    names = {
        "fraction of blocks until the prediction first appears": "onset_fraction",
        "fraction of blocks until the prediction stays": "settled_fraction",
    }
    labels = {label: f"depth/{name}{{lens=own}}" for label, name in names.items()}
    for label, name in labels.items():
        if name in found:
            profile = tuple(value for _, value in states)
            yield _entry(found[name], Section.depth, label, profile=profile)


def _spectra(found: Mapping[str, Metric]) -> Iterator[Entry]:
    """How many spectral metrics tell right from wrong texts beyond length and likelihood."""
    beyond = [m for m in found.values() if m.name == "spectra/is_beyond"]
    is_decided = {
        tuple(m.dims.items()): bool(m.value)
        for m in found.values()
        if m.name == "spectra/is_decided"
    }
    decided = [m for m in beyond if is_decided.get(tuple(m.dims.items()), False)]
    if beyond:
        yield Entry(
            section=Section.spectra,
            label="metrics that tell right from wrong beyond length and likelihood",
            value=float(sum(metric.value for metric in decided)),
            unit=COUNT,
            n=len(decided),
            metric="spectra/is_beyond",
        )
    powers = [metric for metric in found.values() if metric.name == "spectra/planted_power"]
    if powers:
        least = min(powers, key=lambda metric: metric.value)
        yield _entry(least, Section.spectra, "fraction of planted effects that is found (control)")


def _effect(
    found: Mapping[str, Metric], section: Section, what: str, with_hint: str, without: str
) -> Iterator[Entry]:
    """The gain by a hint; the error is as if the questions of both accuracies were independent."""
    if with_hint not in found or without not in found:
        return
    a, b = found[with_hint], found[without]
    error = math.hypot(a.stderr or 0, b.stderr or 0)
    yield Entry(
        section=section,
        label=f"{what} ... effect of writing the facts",
        value=a.value - b.value,
        unit=a.unit,
        n=a.n,
        stderr=error,
    )


def _about(what: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Labels with what was asked before those that begin with an ellipsis."""
    return {
        f"{what} {label}" if label.startswith("...") else label: name
        for label, name in labels.items()
    }


def _entries(
    found: Mapping[str, Metric], section: Section, labels: Mapping[str, str], chance: str = ""
) -> Iterator[Entry]:
    """One for each metric that there is."""
    floor = found[chance].value if chance in found else None
    for label, name in labels.items():
        if name in found:
            yield _entry(found[name], section, label, chance=floor)


def _entry(
    metric: Metric,
    section: Section,
    label: str,
    *,
    chance: float | None = None,
    profile: tuple[float, ...] = (),
) -> Entry:
    return Entry(
        section=section,
        label=label,
        value=metric.value,
        unit=metric.unit,
        n=metric.n,
        stderr=metric.stderr,
        chance=chance,
        profile=profile,
        metric=metric.text,
    )


def _tasks_of(found: Mapping[str, Metric], name: str) -> list[str]:
    """Tasks that a metric was measured on, in order."""
    return list(dict.fromkeys(str(m.dims["task"]) for m in found.values() if m.name == name))


@cache
def _section_of(task: str) -> Section:
    found = tasks().get(task)
    if isinstance(found, Inverse | BornInYear):
        return Section.inverse
    if isinstance(found, Remainder):
        return Section.classification
    return Section.comparison if isinstance(found, Comparison) else Section.retrieval


def _public_section(task: PublicTask) -> Section:
    if task.is_inverse:
        return Section.inverse
    if task.has_other:
        return Section.comparison
    return Section.classification if "_mod_" in task.name else Section.retrieval


def _in_words(dims: Mapping[str, Dim]) -> str:
    return ", ".join(f"{name} {value}" for name, value in dims.items())
