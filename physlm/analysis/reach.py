"""Reach of a probe: the positions whose states it sees."""

from enum import Enum


class Reach(str, Enum):
    """The states that a probe sees at a position: all, its own, or its own and its neighbours'."""

    full = "full"
    diagonal = "diagonal"
    tridiagonal = "tridiagonal"

    @property
    def n_beside(self) -> int | None:
        """Number of positions seen on each side; None for all."""
        return {Reach.full: None, Reach.diagonal: 0, Reach.tridiagonal: 1}[self]
