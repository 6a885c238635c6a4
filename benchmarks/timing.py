"""How two things are compared: turn by turn in one process, by medians."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from physlm.train.cpu import processor_name

Clock = Callable[[], float]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    Attributes:
        ours: Work per second, median over turns; or what is spent on it.
        theirs: The peer's.
        spread: Interquartile range over median of ours and theirs.
        is_cost: The figures are spent, so that less is better.
    """

    work: str
    shape: str
    peer: str
    ours: float
    theirs: float
    unit: str
    spread: tuple[float, float] = (0.0, 0.0)
    is_cost: bool = False

    @property
    def ratio(self) -> float:
        """Above 1 where ours is better."""
        return self.theirs / self.ours if self.is_cost else self.ours / self.theirs

    def as_dict(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            **asdict(self),
            "ratio": self.ratio,
            "device": device_name(),
            "torch": torch.__version__,
        }


@dataclass(frozen=True, slots=True)
class Speed:
    """Work per second of one contender: the median over turns, and its relative spread."""

    median: float
    spread: float


def race(
    turns: int, clock: Clock = time.perf_counter, **contenders: Callable[[], int]
) -> dict[str, Speed]:
    """Speeds of callables that return how much work they did, turn by turn; one warm-up each."""
    for run in contenders.values():
        run()
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, run in contenders.items():
            began = clock()
            amount = run()
            speeds[name].append(amount / (clock() - began))
    return {name: _speed(found) for name, found in speeds.items()}


def compare(
    work: str,
    shape: str,
    peer: str,
    *,
    ours: Callable[[], int],
    theirs: Callable[[], int],
    unit: str = "tokens/s",
    turns: int = 7,
    clock: Clock = time.perf_counter,
) -> Row:
    """Alternate between two callables, each returning how much work it did."""
    found = race(turns, clock, ours=ours, theirs=theirs)
    return row(work, shape, peer, found["ours"], found["theirs"], unit)


def row(work: str, shape: str, peer: str, ours: Speed, theirs: Speed, unit: str) -> Row:
    """Two speeds side by side."""
    return Row(
        work, shape, peer, ours.median, theirs.median, unit, spread=(ours.spread, theirs.spread)
    )


def wait() -> None:
    """Until the device has done what it was given."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def device_name() -> str:
    """The GPU's name, or the processor's."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return processor_name() or "cpu"


def _speed(values: list[float]) -> Speed:
    middle = statistics.median(values)
    low, _, high = statistics.quantiles(values, n=4)
    return Speed(middle, (high - low) / middle)
