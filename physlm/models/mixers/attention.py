"""Self-attention by content, with rotary positions or none."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.components import AttentionShape
from physlm.models.context import Context
from physlm.models.mixers.attention_kernels import attend, attend_once
from physlm.models.mixers.key_values import KeyValueMixer
from physlm.models.parameters import Declaration
from physlm.models.position import Rotary
from physlm.models.state import KeyValueState, Place


class Attention(KeyValueMixer):
    """Multi-head attention with one fused projection; keys may be shared between heads."""

    declares: ClassVar = {
        "qkv": Declaration(role="attention"),
        "out": Declaration(role="attention", is_residual=True),
    }

    def __init__(self, shape: AttentionShape, rotary: Rotary | None, *, has_bias: bool) -> None:
        super().__init__()
        self.shape = shape
        self.rotary = rotary
        self.qkv = nn.Linear(shape.d_model, shape.d_model + 2 * shape.d_kv, bias=has_bias)
        self.out = nn.Linear(shape.d_model, shape.d_model, bias=has_bias)

    def _whole(
        self, x: Float[Tensor, "batch seq width"], context: Context, state: KeyValueState | None
    ) -> Float[Tensor, "batch seq width"]:
        n_batch, seq_len, _ = x.shape
        q, k, v = self._heads(x)
        if state is not None:
            state.fill(k, v)
        gathered = attend(q, k, v, context.mask)
        out: Tensor = self.out(gathered.transpose(1, 2).reshape(n_batch, seq_len, -1))
        return out

    def _weights(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads seq seq"]:
        q, k, _ = self._heads(x)
        k = k.repeat_interleave(self.shape.n_heads // self.shape.n_kv_heads, dim=1)
        return context.mask.weights(q @ k.mT * self.shape.head_width**-0.5)

    def _step(
        self, x: Float[Tensor, "batch 1 width"], state: KeyValueState, place: Place
    ) -> Float[Tensor, "batch 1 width"]:
        q, k, v = self._heads_at(x, place)
        state.write(k, v, place)
        # Heads that share keys become rows of one product, so that keys are not repeated.
        gathered = attend_once(
            q.reshape(len(x), self.shape.n_kv_heads, -1, self.shape.head_width),
            place.seen(state.keys),
            place.seen(state.values),
            place.mask,
        )
        out: Tensor = self.out(gathered.reshape(len(x), 1, -1))
        return out

    def _step_weights(
        self, x: Float[Tensor, "batch 1 width"], state: KeyValueState, place: Place
    ) -> Float[Tensor, "batch heads 1 columns"]:
        q, _, _ = self._heads_at(x, place)
        q = q.reshape(len(x), self.shape.n_kv_heads, -1, self.shape.head_width)
        scores = q @ place.seen(state.keys).mT * self.shape.head_width**-0.5
        return place.weights(scores).flatten(1, 2)[:, :, None]

    def _key_value(
        self, x: Float[Tensor, "tokens 1 width"], place: Place
    ) -> tuple[Float[Tensor, "tokens kv_heads 1 key_width"], Float[Tensor, "tokens kv_heads 1 w"]]:
        return self._heads_at(x, place)[1:]

    def _heads_at(
        self, x: Float[Tensor, "tokens 1 width"], place: Place
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of single tokens."""
        n_heads, n_kv = self.shape.n_heads, self.shape.n_kv_heads
        # With one token per row, a view separates the heads, and no transpose is needed.
        heads = self.qkv(x).view(len(x), -1, 1, self.shape.head_width)
        qk, v = heads.split((n_heads + n_kv, n_kv), dim=1)
        if self.rotary is not None:
            qk = self.rotary.at(place.positions, qk)
        q, k = qk.split((n_heads, n_kv), dim=1)
        return q, k, v

    def _heads(self, x: Float[Tensor, "batch seq width"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values."""
        n_batch, seq_len, _ = x.shape
        n_heads, n_kv = self.shape.n_heads, self.shape.n_kv_heads
        heads = self.qkv(x).view(n_batch, seq_len, -1, self.shape.head_width).transpose(1, 2)
        qk, v = heads.split((n_heads + n_kv, n_kv), dim=1)
        q, k = (qk if self.rotary is None else self.rotary(qk)).split((n_heads, n_kv), dim=1)
        return q, k, v
