"""Corpora that know which of their training documents are corrupted."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool


@runtime_checkable
class Corrupted(Protocol):
    """A corpus that can corrupt a fraction of its training documents."""

    def is_corrupted(self, number: int, first: int, last: int) -> Bool[np.ndarray, " documents"]:
        """Which of the documents ``first`` to ``last - 1`` of an epoch are corrupted."""
