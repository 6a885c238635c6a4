"""Relative attention: scores from content and distance, as in DeBERTa."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.attention_mask import AttentionMask
from physlm.models.canon_config import CanonConfig
from physlm.models.components import AttentionShape, n_distances
from physlm.models.context import Context
from physlm.models.mixers.attention import Attention
from physlm.models.parameters import Declaration
from physlm.models.relative_position import by_pair
from physlm.models.state import KeyValueState, Place

_N_TERMS = 3  # of a score: content with content, content with distance, distance with content


class RelativeAttention(Attention):
    """Disentangled attention: token i scores token j by (q_i k_j + q_i kr + k_j qr) / sqrt(3 w).

    The key kr and the query qr of their distance i - j are projected from embeddings that all
    layers share; w is a head's width. These projections have no biases, which would be redundant:
    the bias of kr adds the same score to all keys, which the softmax ignores, and that of qr is
    equivalent to that of q.

    Source:
        He et al. (2021), DeBERTa, equation 4; GPT_rel of Physics of Language Models, Part 1.
    """

    declares: ClassVar = Attention.declares | {
        "distance_key": Declaration(role="position"),
        "distance_query": Declaration(role="position"),
    }

    def __init__(
        self,
        shape: AttentionShape,
        *,
        has_bias: bool,
        canon: CanonConfig | None = None,
        qk_norm_eps: float | None = None,
    ) -> None:
        super().__init__(shape, None, has_bias=has_bias, canon=canon, qk_norm_eps=qk_norm_eps)
        self.scale = (_N_TERMS * shape.head_width) ** -0.5
        self.distance_key = nn.Linear(shape.d_model, shape.d_kv, bias=False)
        self.distance_query = nn.Linear(shape.d_model, shape.d_model, bias=False)

    def _whole(
        self, x: Float[Tensor, "batch seq width"], context: Context, state: KeyValueState | None
    ) -> Float[Tensor, "batch seq width"]:
        q, k, v = self._heads(x, context)
        # Kept in the state: decoding would otherwise project every distance again at each token.
        of_distances = self._of_distances(context)
        if state is not None:
            state.fill(k, v, of_distances)
        weights = context.mask.weights(self._scores(q, k, of_distances, context.mask))
        gathered = weights.to(v.dtype) @ self._for_all_heads(v)
        out: Tensor = self.out(gathered.transpose(1, 2).flatten(2))
        return out

    def _weights(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads seq seq"]:
        q, k, _ = self._heads(x, context)
        scores = self._scores(q, k, self._of_distances(context), context.mask)
        return context.mask.weights(scores)

    def _step(
        self,
        x: Float[Tensor, "batch 1 width"],
        context: Context,
        state: KeyValueState,
        place: Place,
    ) -> Float[Tensor, "batch 1 width"]:
        q, new_k, new_v = self._heads_at(x, context, place)
        state.write(new_k, new_v, place)
        weights, v = self._grouped_weights(q, state, place), place.seen(state.values)
        out: Tensor = self.out((weights.to(v.dtype) @ v).reshape(len(x), 1, -1))
        return out

    def _step_weights(
        self,
        x: Float[Tensor, "batch 1 width"],
        context: Context,
        state: KeyValueState,
        place: Place,
    ) -> Float[Tensor, "batch heads 1 columns"]:
        q, _, _ = self._heads_at(x, context, place, is_added=True)
        return self._grouped_weights(q, state, place).flatten(1, 2)[:, :, None]

    def _grouped_weights(
        self, q: Float[Tensor, "batch heads 1 width"], state: KeyValueState, place: Place
    ) -> Float[Tensor, "batch kv_heads group columns"]:
        k, (kr, qr) = place.seen(state.keys), state.of_distances
        # Heads that share keys become rows of one product, so that keys are not repeated.
        q = q.reshape(len(q), self.shape.n_kv_heads, -1, self.shape.head_width)
        # A single query has one distance per key: looking these up is cheaper than shifting rows,
        # and rows of the batch may stand at different positions.
        distances = place.distances
        qr = qr.view(*q.shape[1:3], *qr.shape[1:])[:, :, distances].movedim(2, 0)
        scores = q @ k.mT + torch.take_along_dim(q @ kr.mT, distances[:, None, None], dim=-1)
        return place.weights((scores + (k[:, :, None] * qr).sum(dim=-1)) * self.scale)

    def _of_distances(self, context: Context) -> tuple[Tensor, ...]:
        """Keys and queries of the distances, as (heads, distances, head width)."""
        assert context.relative_positions is not None
        width = self.shape.head_width
        return tuple(
            projection(context.relative_positions).unflatten(1, (-1, width)).transpose(0, 1)
            for projection in (self.distance_key, self.distance_query)
        )

    def _scores(
        self,
        q: Float[Tensor, "batch heads seq width"],
        k: Float[Tensor, "batch kv_heads seq width"],
        of_distances: tuple[Tensor, ...],
        mask: AttentionMask,
    ) -> Float[Tensor, "batch heads seq seq"]:
        seq_len = q.shape[2]
        n = n_distances(seq_len, is_causal=mask.is_causal)
        kr, qr = (x[:, :n] for x in of_distances)
        k, kr = self._for_all_heads(k), self._for_all_heads(kr)
        # Scaling the inputs of the three products touches fewer numbers than scaling their sum.
        q, qr = q * self.scale, qr * self.scale
        scores = (q @ k.mT).to(torch.promote_types(q.dtype, torch.float32))
        # Each query meets each distance once, (T, distances) instead of (T, T, width) products; the
        # scores are then shifted to their pairs. Distances descend along a row of keys (kr is
        # reversed) and ascend along a column of queries (the last term is transposed).
        scores += by_pair(q @ _one_more(kr.flip(1)).mT, seq_len - 1)[..., :seq_len]
        scores += by_pair(k @ _one_more(qr).mT, n - seq_len)[..., :seq_len].mT
        return scores

    def _for_all_heads(
        self, x: Float[Tensor, "*batch kv_heads seq width"]
    ) -> Float[Tensor, "*batch heads seq width"]:
        n_groups = self.shape.n_heads // self.shape.n_kv_heads
        return x if n_groups == 1 else x.repeat_interleave(n_groups, dim=-3)


def _one_more(
    x: Float[Tensor, "heads distances width"],
) -> Float[Tensor, "heads distances_1 width"]:
    """With one more row of zeros, which the shift of `by_pair` needs and never returns."""
    return nn.functional.pad(x, (0, 0, 0, 1))
