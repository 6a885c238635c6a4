"""Who sees whom: what all layers share when they read a batch."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sight:
    """What tokens see of each other.

    Attributes:
        is_causal: Whether no token sees those after it.
        n_positions: Tokens per row that will be read in all, those yet to come included.
        mask: True where row t sees column s, causality included; None hides only the future, or
            nothing where there is no causality.
        distances: Embeddings of the distances between that many tokens, in ascending order.
    """

    is_causal: bool
    n_positions: int
    mask: Bool[Tensor, "#batch 1 seq seq"] | None = None
    distances: Float[Tensor, "distances width"] | None = None

    def weights(
        self, scores: Float[Tensor, "#batch heads seq seq"]
    ) -> Float[Tensor, "#batch heads seq seq"]:
        """How much each token takes from each that it sees."""
        is_seen = self.mask
        if is_seen is None and self.is_causal:
            seq_len = scores.shape[-1]
            is_seen = torch.ones(seq_len, seq_len, dtype=torch.bool, device=scores.device).tril()
        return softmax_of_seen(scores, is_seen)


def softmax_of_seen(
    scores: Float[Tensor, "#batch heads rows columns"], is_seen: Bool[Tensor, "..."] | None
) -> Float[Tensor, "#batch heads rows columns"]:
    """Weights of all that is seen, in single precision at least; None hides nothing."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if is_seen is not None:
        scores = scores.masked_fill(~is_seen, -math.inf)
    return scores.softmax(dim=-1)


def attention_mask(
    is_visible: Bool[Tensor, "batch seq seq"] | None,
    *,
    seq_len: int,
    sliding_window: int | None,
    device: torch.device,
) -> Bool[Tensor, "#batch 1 seq seq"] | None:
    """Causality, the sliding window and visibility in one mask; None if causality is all."""
    reach = seq_len if sliding_window is None else min(sliding_window, seq_len)
    if is_visible is None and reach == seq_len:
        return None
    position = torch.arange(seq_len, device=device)
    distance = position[:, None] - position
    mask = (distance >= 0) & (distance < reach)
    return (mask[None] if is_visible is None else mask & is_visible)[:, None]
