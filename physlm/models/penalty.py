"""Terms of the training loss that are made of attention weights, one in every block."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from physlm.models.observer import AttentionObserver


class Penalty(ABC):
    """A number made of one layer's attention weights, added to the loss.

    Attributes:
        weight: Multiplies the mean over layers; a negative weight rewards what is measured.
    """

    weight: float

    @abstractmethod
    def __call__(
        self,
        patterns: Float[Tensor, "batch heads seq seq"],
        residual: Float[Tensor, "batch seq width"],
    ) -> Float[Tensor, ""]:
        """The term of one layer, without its weight, as a mean over windows and heads.

        Args:
            patterns: Attention weights; every row sums to 1.
            residual: The residual stream after the block.
        """


class PenaltyTerms(AttentionObserver):
    """Collects the terms of all layers in one forward pass."""

    def __init__(self, penalty: Penalty) -> None:
        self.penalty = penalty
        self.terms: list[Tensor] = []

    def add(
        self,
        patterns: Float[Tensor, "batch heads seq seq"],
        residual: Float[Tensor, "batch seq width"],
    ) -> None:
        """Add the term of one layer."""
        self.terms.append(self.penalty(patterns, residual))

    def mean(self) -> Float[Tensor, ""]:
        """The weighted mean over layers, per target."""
        return self.penalty.weight * torch.stack(self.terms).mean()
