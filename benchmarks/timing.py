"""How two things are compared: turn by turn in one process, by medians."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    Attributes:
        ours: Work per second, median over turns.
        theirs: The peer's.
        spread: Interquartile range over median of ours and theirs.
    """

    work: str
    shape: str
    peer: str
    ours: float
    theirs: float
    unit: str
    spread: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Above 1 where ours is faster."""
        return self.ours / self.theirs

    def as_dict(self) -> dict[str, Any]:
        """For the JSON file."""
        return {**asdict(self), "ratio": self.ratio, "device": device_name()}


def compare(
    work: str,
    shape: str,
    peer: str,
    *,
    ours: Callable[[], int],
    theirs: Callable[[], int],
    unit: str = "tokens/s",
    turns: int = 7,
) -> Row:
    """Alternate between two callables, each returning how much work it did; one warm-up each."""
    ours()
    theirs()
    speeds: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for function, found in zip((ours, theirs), speeds, strict=True):
            began = time.perf_counter()
            amount = function()
            found.append(amount / (time.perf_counter() - began))
    middle = [statistics.median(found) for found in speeds]
    spread = [_interquartile(found) / m for found, m in zip(speeds, middle, strict=True)]
    return Row(work, shape, peer, middle[0], middle[1], unit, (spread[0], spread[1]))


def device_name() -> str:
    """The GPU's name, or the processor's."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "cpu")


def _interquartile(values: list[float]) -> float:
    low, _, high = statistics.quantiles(values, n=4)
    return high - low
