"""Position-only attention: weights depend on distance alone, not on content."""

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.canon import canon_at
from physlm.models.canon_config import CanonConfig
from physlm.models.components import AttentionShape
from physlm.models.context import Context
from physlm.models.mixers.key_values import KeyValueMixer
from physlm.models.parameters import Declaration
from physlm.models.relative_position import by_pair
from physlm.models.state import KeyValueState, Place


class PositionOnlyAttention(KeyValueMixer):
    """Means of values, weighted by the softmax of one score per head and distance.

    Scores are learned, or uniform: head h = 1, 2, ... averages the last 2^(h-1) tokens, the current
    one included. Learned scores are projected from distance embeddings that all layers share, like
    relative attention without content. They are not scaled, since the projection's scale is free.
    Canon at B reads the values, since there are no queries and keys.

    Source:
        Physics of Language Models, Part 1, appendix on GPT_pos (learned) and GPT_uni (uniform).
    """

    declares: ClassVar = {
        "value": Declaration(role="attention"),
        "distance_score": Declaration(role="position"),
        "out": Declaration(role="attention", is_residual=True),
    }

    def __init__(
        self,
        shape: AttentionShape,
        *,
        has_bias: bool,
        is_learned: bool,
        canon: CanonConfig | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.value = nn.Linear(shape.d_model, shape.d_model, bias=has_bias)
        self.canon = canon_at(canon, "B", shape.d_model)
        self.distance_score = (
            nn.Linear(shape.d_model, shape.n_heads, bias=False) if is_learned else None
        )
        self.out = nn.Linear(shape.d_model, shape.d_model, bias=has_bias)

    def _whole(
        self, x: Float[Tensor, "batch seq width"], context: Context, state: KeyValueState | None
    ) -> Float[Tensor, "batch seq width"]:
        v, scores = self._values(x, context), self._scores(context)
        if state is not None:
            state.fill(v[..., :0], v, (scores,))
        weights = _weights(scores, context, x.shape[1]).to(v.dtype)
        # Without segments all rows have the same weights: one product serves the whole batch.
        gathered = (
            weights @ v if len(weights) > 1 else torch.einsum("hts,bhsd->bhtd", weights[0], v)
        )
        out: Tensor = self.out(gathered.transpose(1, 2).flatten(2))
        return out

    def _weights(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads seq seq"]:
        weights = _weights(self._scores(context), context, x.shape[1])
        return weights.expand(len(x), -1, -1, -1)

    def _step(
        self,
        x: Float[Tensor, "batch 1 width"],
        context: Context,
        state: KeyValueState,
        place: Place,
    ) -> Float[Tensor, "batch 1 width"]:
        new_v = self._values(x, context)
        state.write(new_v[..., :0], new_v, place)
        weights = self._step_weights(x, context, state, place)
        gathered = weights.to(new_v.dtype) @ place.seen(state.values)
        out: Tensor = self.out(gathered.reshape(len(x), 1, -1))
        return out

    def _step_weights(
        self,
        x: Float[Tensor, "batch 1 width"],  # noqa: ARG002
        context: Context,  # noqa: ARG002
        state: KeyValueState,
        place: Place,
    ) -> Float[Tensor, "#batch heads 1 columns"]:
        (scores,) = state.of_distances
        return place.weights(scores[:, place.distances].transpose(0, 1)[:, :, None])

    def _key_value(
        self,
        x: Float[Tensor, "tokens 1 width"],
        context: Context,
        place: Place,  # noqa: ARG002
    ) -> tuple[Float[Tensor, "tokens kv_heads 1 key_width"], Float[Tensor, "tokens kv_heads 1 w"]]:
        v = self._values(x, context)
        return v[..., :0], v

    def _values(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads seq head_width"]:
        values: Tensor = self.value(x)
        if self.canon is not None:
            values = self.canon(values, context)
        return values.view(*values.shape[:2], self.shape.n_heads, -1).transpose(1, 2)

    def _scores(self, context: Context) -> Float[Tensor, "heads distances"]:
        """Scores of all distances up to ``n_positions``."""
        if self.distance_score is not None:
            assert context.relative_positions is not None
            learned: Tensor = self.distance_score(context.relative_positions)
            return learned.mT
        device = self.value.weight.device
        distances = torch.arange(context.n_positions, device=device)
        reach = torch.arange(self.shape.n_heads, device=device).exp2()
        return torch.zeros((), device=device).where(distances < reach[:, None], -math.inf)


def _weights(
    scores: Float[Tensor, "heads distances"], context: Context, seq_len: int
) -> Float[Tensor, "#batch heads seq seq"]:
    # Distances descend along a row of keys, so scores are reversed before they are shifted.
    descending = nn.functional.pad(scores[:, :seq_len].flip(1), (0, 1))
    of_pairs = by_pair(descending[:, None].expand(-1, seq_len, -1), seq_len - 1)
    return context.mask.weights(of_pairs[None])
