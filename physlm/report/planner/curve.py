"""Capacity by exposures, interpolated between a few measured numbers of exposures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Curve:
    """A power law between neighbouring points; beyond the ends, that of the nearest two.

    Attributes:
        points: Exposures and the capacity after them, in bits per parameter or any multiple of it,
            by exposures; one point is a constant.

    Raises:
        ValueError: If there is no point, or capacity falls with exposures.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Check the order: a plan is found by bisection, which needs it."""
        exposures, capacities = zip(*self.points, strict=True) if self.points else ((), ())
        if not self.points or not _rises(exposures) or list(capacities) != sorted(capacities):
            raise ValueError(f"points={self.points}; exposures must rise, and capacity not fall")

    @property
    def ends(self) -> tuple[float, float]:
        """The fewest and the most exposures of its points."""
        return self.points[0][0], self.points[-1][0]

    def log_at(self, exposures: float) -> float:
        """Logarithm of the capacity after some exposures."""
        if len(self.points) == 1:
            return math.log(self.points[0][1])
        left = max(i for i in range(len(self.points) - 1) if i == 0 or self._at(i) <= exposures)
        (e0, c0), (e1, c1) = self.points[left : left + 2]
        slope = math.log(c1 / c0) / math.log(e1 / e0)
        return math.log(c0) + slope * math.log(exposures / e0)

    def _at(self, i: int) -> float:
        return self.points[i][0]


@dataclass(frozen=True, slots=True)
class Share:
    """The harm of a fraction of junk over that of the largest fraction, piecewise linear.

    Attributes:
        points: Fractions of junk, from 0, and shares of the harm, from 0 to 1.
    """

    points: tuple[tuple[float, float], ...]

    def at(self, fraction: float) -> float:
        """The share at a fraction of junk, up to the largest."""
        (x0, y0), (x1, y1) = next(p for p in pairwise(self.points) if fraction <= p[1][0])
        return y0 + (y1 - y0) * (fraction - x0) / (x1 - x0)


def _rises(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))
