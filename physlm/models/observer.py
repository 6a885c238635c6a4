"""Observers, which receive the attention weights of every block during a forward pass."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor


class AttentionObserver(ABC):
    """Receives the attention weights of each block, and the states after it, as they are made.

    Given in ``Context.observer``. In training, its numbers may enter the loss; in decoding, each
    call has the rows of one new token. Attention kernels keep no weights, so these are computed
    once more for the observer.
    """

    @abstractmethod
    def add(
        self,
        patterns: Float[Tensor, "batch heads rows columns"],
        residual: Float[Tensor, "batch rows width"],
    ) -> None:
        """Receive one block; blocks come in their order.

        Args:
            patterns: Attention weights over the last tokens so far, all of them unless a sliding
                window hides the first; every row sums to 1.
            residual: The residual stream after the block.
        """
