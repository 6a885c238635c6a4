"""Self-attention by content, with rotary positions, ALiBi or none."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.alibi import distance_bias
from physlm.models.canon import canon_at
from physlm.models.canon_config import CanonConfig
from physlm.models.components import AttentionShape
from physlm.models.context import Context
from physlm.models.mixers.attention_kernels import attend, attend_once
from physlm.models.mixers.key_values import KeyValueMixer
from physlm.models.parameters import Declaration
from physlm.models.position import Rotary
from physlm.models.state import KeyValueState, Place


class Attention(KeyValueMixer):
    """Multi-head attention with one fused projection; keys may be shared between heads.

    Queries and keys are normed first, then Canon reads them and the values, then they are rotated.

    Args:
        shape: Number and width of the heads.
        rotary: Rotations of queries and keys; None for none.
        has_bias: Whether the projections have biases.
        canon: Canon layers of the architecture; position B is here.
        qk_norm_eps: Epsilon of an RMSNorm over the queries of all heads and one over the keys;
            None for no norms.
        slopes_and_reach: Slopes and reach of ALiBi; None without it.

    Source:
        Vaswani et al. (2017); for the norms over all heads, OLMo et al. (2025), 2 OLMo 2 Furious.
    """

    bias_by_head: Tensor | None

    declares: ClassVar = {
        "qkv": Declaration(role="attention"),
        "out": Declaration(role="attention", is_residual=True),
    }

    def __init__(
        self,
        shape: AttentionShape,
        rotary: Rotary | None,
        *,
        has_bias: bool,
        canon: CanonConfig | None = None,
        qk_norm_eps: float | None = None,
        slopes_and_reach: Float[Tensor, "2 heads"] | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.rotary = rotary
        self.register_buffer("bias_by_head", slopes_and_reach, persistent=False)
        d_qkv = shape.d_model + 2 * shape.d_kv
        self.qkv = nn.Linear(shape.d_model, d_qkv, bias=has_bias)
        self.q_norm, self.k_norm = (
            None if qk_norm_eps is None else nn.RMSNorm(width, eps=qk_norm_eps)
            for width in (shape.d_model, shape.d_kv)
        )
        self.canon = canon_at(canon, "B", d_qkv)
        self.out = nn.Linear(shape.d_model, shape.d_model, bias=has_bias)

    def _whole(
        self, x: Float[Tensor, "batch seq width"], context: Context, state: KeyValueState | None
    ) -> Float[Tensor, "batch seq width"]:
        n_batch, seq_len, _ = x.shape
        q, k, v = self._heads(x, context)
        if state is not None:
            state.fill(k, v)
        gathered = attend(q, k, v, context.mask, self.bias_by_head)
        out: Tensor = self.out(gathered.transpose(1, 2).reshape(n_batch, seq_len, -1))
        return out

    def _weights(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads seq seq"]:
        q, k, _ = self._heads(x, context)
        k = k.repeat_interleave(self.shape.n_heads // self.shape.n_kv_heads, dim=1)
        scores = q @ k.mT * self.shape.head_width**-0.5
        return context.mask.weights(scores, self.bias_by_head)

    def _step(
        self,
        x: Float[Tensor, "batch 1 width"],
        context: Context,
        state: KeyValueState,
        place: Place,
    ) -> Float[Tensor, "batch 1 width"]:
        q, k, v = self._heads_at(x, context, place)
        state.write(k, v, place)
        # Heads that share keys become rows of one product, so that keys are not repeated.
        gathered = attend_once(
            q.reshape(len(x), self.shape.n_kv_heads, -1, self.shape.head_width),
            place.seen(state.keys),
            place.seen(state.values),
            place.mask,
            self._step_bias(place),
        )
        out: Tensor = self.out(gathered.reshape(len(x), 1, -1))
        return out

    def _step_weights(
        self,
        x: Float[Tensor, "batch 1 width"],
        context: Context,
        state: KeyValueState,
        place: Place,
    ) -> Float[Tensor, "batch heads 1 columns"]:
        q, _, _ = self._heads_at(x, context, place, is_added=True)
        q = q.reshape(len(x), self.shape.n_kv_heads, -1, self.shape.head_width)
        scores = q @ place.seen(state.keys).mT * self.shape.head_width**-0.5
        bias = self._step_bias(place)
        scores = scores if bias is None else scores + bias
        return place.weights(scores).flatten(1, 2)[:, :, None]

    def _step_bias(self, place: Place) -> Float[Tensor, "#batch kv_heads group columns"] | None:
        """Terms of one token's scores by ALiBi."""
        if self.bias_by_head is None:
            return None
        bias = distance_bias(self.bias_by_head, place.distances).transpose(0, 1)
        return bias.reshape(len(bias), self.shape.n_kv_heads, -1, bias.shape[-1])

    def _key_value(
        self, x: Float[Tensor, "tokens 1 width"], context: Context, place: Place
    ) -> tuple[Float[Tensor, "tokens kv_heads 1 key_width"], Float[Tensor, "tokens kv_heads 1 w"]]:
        return self._heads_at(x, context, place)[1:]

    def _heads_at(
        self,
        x: Float[Tensor, "tokens 1 width"],
        context: Context,
        place: Place,
        *,
        is_added: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of single tokens.

        Args:
            x: What the mixer reads.
            context: Context of the block.
            place: Place of the tokens.
            is_added: Whether the tokens are in the decoding state already.
        """
        projected = self._projected(x, context, is_added=is_added)
        heads = projected.view(len(x), 1, -1, self.shape.head_width)
        rotate = None if self.rotary is None else partial(self.rotary.at, place.positions)
        return self._rotated(heads, rotate)

    def _heads(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values."""
        n_batch, seq_len, _ = x.shape
        projected = self._projected(x, context)
        heads = projected.view(n_batch, seq_len, -1, self.shape.head_width)
        return self._rotated(heads, self.rotary)

    def _projected(
        self, x: Float[Tensor, "batch seq width"], context: Context, *, is_added: bool = False
    ) -> Float[Tensor, "batch seq qkv"]:
        """Queries, keys and values of all heads one after the other, before rotation."""
        qkv: Tensor = self.qkv(x)
        if self.q_norm is not None and self.k_norm is not None:
            widths = [self.shape.d_model, self.shape.d_kv, self.shape.d_kv]
            q, k, v = torch.split(qkv, widths, dim=-1)
            qkv = torch.cat((_normed(self.q_norm, q), _normed(self.k_norm, k), v), dim=-1)
        return qkv if self.canon is None else self.canon(qkv, context, is_added=is_added)

    def _rotated(
        self,
        heads: Float[Tensor, "batch seq heads width"],
        rotate: Callable[[Tensor], Tensor] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, after rotation of the configured heads of queries and keys."""
        n_heads, n_kv = self.shape.n_heads, self.shape.n_kv_heads
        # Split first, then transposed: gradients are put where they belong in one pass, not three.
        if rotate is None:
            q, k, v = _parts(heads, n_heads, n_kv, n_kv)
            return q, k, v
        qk, v = _parts(heads, n_heads + n_kv, n_kv)
        fraction = 1.0 if self.rotary is None else self.rotary.heads_fraction
        if fraction == 1:
            q, k = torch.split(rotate(qk), [n_heads, n_kv], dim=1)
            return q, k, v
        q, k = (
            torch.cat((rotate(x[:, :n]), x[:, n:]), dim=1)
            for x in torch.split(qk, [n_heads, n_kv], dim=1)
            for n in [round(fraction * x.shape[1])]
        )
        return q, k, v


def _parts(
    heads: Float[Tensor, "batch seq heads width"], *sizes: int
) -> tuple[Float[Tensor, "batch part seq width"], ...]:
    """Consecutive heads, each part with its heads before the tokens."""
    return tuple(part.transpose(1, 2) for part in torch.split(heads, list(sizes), dim=2))


def _normed(norm: nn.RMSNorm, x: Float[Tensor, "*any width"]) -> Float[Tensor, "*any width"]:
    """Normed in the dtype of the gain, which mixed precision leaves in fp32."""
    normed: Tensor = norm(x.to(norm.weight.dtype))
    return normed.to(x.dtype)
