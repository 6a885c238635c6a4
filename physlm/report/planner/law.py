"""A capacity law: how much of a world a model stores, and what it needs to store more."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from physlm.report.planner.amounts import counted, spans
from physlm.report.planner.case import Case, Setting, Stored

# Bounds of the search for solutions and their reciprocals, far beyond any measurement.
_LEAST, _MOST = 1e-18, 1e18
_N_BISECTIONS = 200
_MARGIN = 1e-6  # relative, by which a solution may miss the end of a range
_ROUNDING = 1e-12  # relative, of a fraction that is reached exactly where a law stops rising

Ranges = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Logarithm of the bits that a model could store over those of its world, and its interval."""

    log_value: float
    log_low: float
    log_high: float


class Check(NamedTuple):
    """Errors of a law's predictions of new runs, which were made before these runs.

    Attributes:
        runs: Their number.
        mean_error: The mean of |measured / predicted - 1|.
        largest_factor: The largest of measured / predicted and predicted / measured.
    """

    runs: int
    mean_error: float
    largest_factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Law(ABC):
    """A capacity law, in the settings and the range in which it is known.

    Attributes:
        name: Of the law.
        tokens_per_fact: Tokens of text for each fact and exposure in its worlds.
        has_least_steps: Whether ``steps`` is a minimum, not the number of its runs.
        ranges: Least and most of ``exposures``, ``parameters``, ``bits`` (of the world) and
            ``parameters per bit``, as far as the law has such a range.
    """

    name: ClassVar[str]
    tokens_per_fact: ClassVar[float]
    has_least_steps: ClassVar[bool]

    ranges: Mapping[str, tuple[float, float]]

    @abstractmethod
    def load(self, case: Case) -> Load:
        """Bits that the model could store over the bits of the world; rises with exposures."""

    @abstractmethod
    def fraction(self, load: float) -> float:
        """The fraction of the world that is stored at a load; 0 at 0, at most 1."""

    @abstractmethod
    def sources(self, setting: Setting) -> list[str]:
        """Where the law and what it says about a setting come from."""

    @abstractmethod
    def varied(self, setting: Setting) -> dict[str, Ranges]:
        """Ranges of ``exposures`` and ``junk`` that differ in a setting from ``ranges``."""

    @abstractmethod
    def steps(self, case: Case) -> float:
        """Optimizer steps of such training in the runs that the law comes from."""

    def evidence(self, exposures: float) -> str:  # noqa: ARG002
        """Measurements of facts seen so often among more frequent ones; empty if there are none.

        The law is about worlds in which all facts are seen equally often.
        """
        return ""

    def check(self, setting: Setting) -> Check | None:  # noqa: ARG002
        """How well the law predicted new runs of such a setting; None if it was not checked."""
        return None

    def known(self, setting: Setting) -> dict[str, Ranges]:
        """The ranges in which the law is known in a setting."""
        return {name: (ends,) for name, ends in self.ranges.items()} | self.varied(setting)

    def stored(self, case: Case) -> Stored:
        """The fraction of the world's bits that the model stores."""
        load = self.load(case)
        logs = (load.log_value, load.log_low, load.log_high)
        return Stored(*(self.fraction(math.exp(min(log, 700.0))) for log in logs))

    def outside(self, case: Case) -> list[str]:
        """The quantities of a case that are outside the law's ranges, with values and ranges.

        A quantity that is nan is still to be planned, and is left out.
        """
        found = {
            "exposures": case.exposures,
            "parameters": case.parameters,
            "bits": case.bits,
            "parameters per bit": case.parameters / case.bits,
            "junk": case.setting.junk_fraction,
        }
        also = {"exposures": "".join(f", {change}" for change in case.setting.changes)}
        return [
            f"{counted(found[name], name)}{also.get(name, '')} ({self.name} for {spans(ranges)})"
            for name, ranges in self.known(case.setting).items()
            if not math.isnan(found[name]) and not is_within(found[name], ranges)
        ]


def is_within(value: float, ranges: Ranges) -> bool:
    """Whether a value lies in one of some ranges, or misses its end by no more than rounding."""
    return any(low * (1 - _MARGIN) <= value <= high * (1 + _MARGIN) for low, high in ranges)


def solved(stored: Callable[[float], float], target: float) -> float | None:
    """The least value from 10^-18 up at which a fraction that rises with it reaches a target.

    Args:
        stored: The stored fraction at a number of parameters or exposures.
        target: The fraction to be reached.

    Returns:
        The value, or None if no value up to 10^18 reaches the target.
    """
    target *= 1 - _ROUNDING
    if stored(_MOST) < target:
        return None
    low, high = math.log(_LEAST), math.log(_MOST)
    for _ in range(_N_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if stored(math.exp(middle)) >= target else (middle, high)
        if high - low < 1e-12:
            break
    return math.exp(high)
