"""Which tokens see which: causality, sliding windows, and the documents that share a window."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class AttentionMask:
    """Which tokens of a batch see which, made dense only where a kernel needs it so.

    Args:
        is_causal: Whether no token sees those after it.
        window: Tokens that a token may look back on, itself included; None for all.
        segments: A number for each token; tokens see those of their own number only. None lets all
            tokens of a row see each other.
    """

    def __init__(
        self,
        *,
        is_causal: bool,
        window: int | None = None,
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> None:
        self.is_causal, self.window, self.segments = is_causal, window, segments
        self._dense: Tensor | None = None

    def dense(self, seq_len: int, device: torch.device) -> Bool[Tensor, "#batch 1 seq seq"] | None:
        """All rows at once, made once for all layers; None if causality, where there is, is all."""
        if self.segments is None and (self.window is None or self.window >= seq_len):
            return None
        if self._dense is None:
            self._dense = self.rows(0, seq_len, seq_len, device)
        return self._dense

    def rows(
        self, first: int, last: int, n_columns: int, device: torch.device
    ) -> Bool[Tensor, "#batch 1 rows columns"]:
        """Which of the first columns the rows from ``first`` up to ``last`` see."""
        row = torch.arange(first, last, device=device)[:, None]
        column = torch.arange(n_columns, device=device)
        is_seen = torch.ones((), dtype=torch.bool, device=device)
        if self.is_causal:
            is_seen = row >= column
        if self.window is not None:
            is_seen = is_seen & (row - column < self.window)
        is_seen = is_seen.expand(last - first, n_columns)[None, None]
        if self.segments is None:
            return is_seen
        own = self.segments[:, first:last, None] == self.segments[:, None, :n_columns]
        return is_seen & own[:, None]

    def weights(
        self, scores: Float[Tensor, "#batch heads seq seq"]
    ) -> Float[Tensor, "#batch heads seq seq"]:
        """How much each token takes from each that it sees."""
        seq_len = scores.shape[-1]
        is_seen = self.dense(seq_len, scores.device)
        if is_seen is None and self.is_causal:
            is_seen = self.rows(0, seq_len, seq_len, scores.device)
        return softmax_of_seen(scores, is_seen)


def softmax_of_seen(
    scores: Float[Tensor, "#batch heads rows columns"], is_seen: Bool[Tensor, "..."] | None
) -> Float[Tensor, "#batch heads rows columns"]:
    """Weights of all that is seen, in single precision at least; None hides nothing."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if is_seen is not None:
        scores = scores.masked_fill(~is_seen, -math.inf)
    return scores.softmax(dim=-1)
