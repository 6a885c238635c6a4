"""Which states a probe sees."""

from enum import Enum


class Reach(str, Enum):
    """Which states a probe sees for a position: all, its own, or its own and its neighbours'."""

    full = "full"
    diagonal = "diagonal"
    tridiagonal = "tridiagonal"

    @property
    def n_beside(self) -> int | None:
        """Positions to each side; None for all."""
        return {Reach.full: None, Reach.diagonal: 0, Reach.tridiagonal: 1}[self]
