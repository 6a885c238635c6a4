"""Attention mask: causality, sliding windows, and the documents of a window."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.models.alibi import distance_bias


class AttentionMask:
    """Which tokens of a batch see which; made dense only where a kernel needs a dense mask.

    Args:
        is_causal: Whether each token sees only itself and earlier tokens.
        window: Tokens that a token may look back on, itself included; None for all.
        segments: Segment number of each token; tokens see their own segment only. None: one
            segment per row.
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
        """The whole mask, made once for all layers; None if nothing but causality restricts."""
        if self.segments is None and (self.window is None or self.window >= seq_len):
            return None
        if self._dense is None:
            self._dense = self.rows(0, seq_len, seq_len, device)
        return self._dense

    def rows(
        self, first: int, last: int, n_columns: int, device: torch.device
    ) -> Bool[Tensor, "#batch 1 rows columns"]:
        """Which of the first columns are seen by the rows from ``first`` up to ``last``.

        Args:
            first: First row.
            last: End of the rows, exclusive.
            n_columns: Columns, from 0.
            device: Device of the mask.
        """
        distance = distances(first, last, n_columns, device)
        is_seen = torch.ones((), dtype=torch.bool, device=device)
        if self.is_causal:
            is_seen = distance >= 0
        if self.window is not None:
            is_seen = is_seen & (distance < self.window)
        is_seen = is_seen.expand(last - first, n_columns)[None, None]
        if self.segments is None:
            return is_seen
        own = self.segments[:, first:last, None] == self.segments[:, None, :n_columns]
        return is_seen & own[:, None]

    def weights(
        self,
        scores: Float[Tensor, "#batch heads seq seq"],
        bias_by_head: Float[Tensor, "2 heads"] | None = None,
    ) -> Float[Tensor, "#batch heads seq seq"]:
        """Attention weights: the softmax of each row over the tokens that it sees.

        ALiBi, if its slopes and reach are given, is added to the scores.
        """
        seq_len = scores.shape[-1]
        if bias_by_head is not None:
            scores = scores + distance_bias(
                bias_by_head, distances(0, seq_len, seq_len, scores.device)
            )
        is_seen = self.dense(seq_len, scores.device)
        if is_seen is None and self.is_causal:
            is_seen = self.rows(0, seq_len, seq_len, scores.device)
        return softmax_of_seen(scores, is_seen)


def distances(
    first: int, last: int, n_columns: int, device: torch.device
) -> Int[Tensor, "rows columns"]:
    """Distance from each row, from ``first`` up to ``last``, back to each of the first columns.

    Args:
        first: First row.
        last: End of the rows, exclusive.
        n_columns: Columns, from 0.
        device: Device of the distances.
    """
    # Half as wide as the default: compiled, vectors of them are as long as those of scores.
    row = torch.arange(first, last, device=device, dtype=torch.int32)[:, None]
    return row - torch.arange(n_columns, device=device, dtype=torch.int32)


def softmax_of_seen(
    scores: Float[Tensor, "#batch heads rows columns"], is_seen: Bool[Tensor, "..."] | None
) -> Float[Tensor, "#batch heads rows columns"]:
    """Attention weights over the seen columns, in fp32 at least; None hides nothing."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if is_seen is not None:
        scores = scores.masked_fill(~is_seen, -math.inf)
    return scores.softmax(dim=-1)
