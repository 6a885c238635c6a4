"""The scorecard of one model in plain values."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

# Names of the tests; those in the first line measure a run in its own world.
TESTS = (
    *("capacity", "recall", "qa", "manipulation", "task", "cfg", "igsm"),
    *("figures", "depth", "spectra"),
)

COUNT = "metrics"  # the unit of a number out of n


class Section(str, Enum):
    """A group of tests, in the order of the scorecard."""

    capacity = "Knowledge capacity"
    retrieval = "Retrieval"
    classification = "Classification"
    comparison = "Comparison"
    inverse = "Inverse search"
    phrasing = "Sensitivity to phrasing"
    task = "The task that it was trained on"
    depth = "Use of depth"
    spectra = "Spectra of attention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One number of a scorecard.

    Attributes:
        section: Its group.
        label: What was measured, in words; entries of several models with one label share a row.
        value: The number.
        unit: Its unit.
        n: Number of measured items.
        stderr: Standard error over these, if the value is a mean.
        chance: The value of an answer by chance, if that is known.
        profile: Values along the states, for a small curve; empty if there are none.
        metric: Text of the metric in the record.
    """

    section: Section
    label: str
    value: float
    unit: str
    n: int
    stderr: float | None = None
    chance: float | None = None
    profile: tuple[float, ...] = ()
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """The scorecard of one model.

    Attributes:
        name: How it was named on the command line.
        kind: run, checkpoint or endpoint.
        parameters: How many it has; None if that is not known.
        entries: What was measured.
        unmeasured: Why a test was left out, by its name.
        records: Paths of the records with all metrics.
    """

    name: str
    kind: str
    parameters: int | None
    entries: tuple[Entry, ...]
    unmeasured: dict[str, str]
    records: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        entries = [{**asdict(entry), "section": entry.section.value} for entry in self.entries]
        return {**asdict(self), "entries": entries}


def rows_of(cards: Sequence[Card]) -> list[tuple[Section, str]]:
    """Section and label of every row: by section, each row followed by its continuations."""
    found = dict.fromkeys((entry.section, entry.label) for card in cards for entry in card.entries)
    sections, firsts = list(Section), dict[str, int]()
    for _, label in found:
        firsts.setdefault(stem(label), len(firsts))
    return sorted(found, key=lambda row: (sections.index(row[0]), firsts[stem(row[1])]))


def stem(label: str) -> str:
    """What a label is about: that of ``birth year ... with a hint`` is ``birth year``."""
    return label.partition(" ... ")[0]


def shown(entry: Entry) -> str:
    """Value, error, chance and n as text."""
    if entry.unit == COUNT:
        return f"{entry.value:.0f} of {entry.n}" if entry.n else "not decided"
    error = "" if entry.stderr is None else f" ± {entry.stderr:.1g}"
    chance = "" if entry.chance is None else f"chance {entry.chance:.3g}, "
    return f"{entry.value:.3g}{error} ({chance}n {entry.n})"
