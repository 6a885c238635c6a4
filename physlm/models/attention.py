"""Self-attention by content; positions come in through rotations, or not at all."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from physlm.models.cache import LayerCache, Place
from physlm.models.derivatives import first_only, is_exact
from physlm.models.parameters import Declaration
from physlm.models.position import Rotary
from physlm.models.sight import Sight

# Queries of a block, and blocks at most: smaller blocks skip more of the future, more blocks take
# longer to compile. Of 64, 128 and 256 queries of 512, blocks of 64 were fastest.
_LEAST_ROWS = 64
_MOST_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """Sizes of one attention layer."""

    d_model: int
    n_heads: int
    n_kv_heads: int

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads

    @property
    def d_kv(self) -> int:
        """Width of all keys, and of all values."""
        return self.head_width * self.n_kv_heads


class Attention(nn.Module):
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

    def forward(
        self, x: Float[Tensor, "batch seq width"], sight: Sight, cache: LayerCache | None = None
    ) -> Float[Tensor, "batch seq width"]:
        """What each token gathers from the tokens it sees; fills the cache."""
        n_batch, seq_len, _ = x.shape
        q, k, v = self._heads(x)
        if cache is not None:
            cache.fill(k, v)
        gathered = attend(q, k, v, sight.mask, is_causal=sight.is_causal)
        out: Tensor = self.out(gathered.transpose(1, 2).reshape(n_batch, seq_len, -1))
        return out

    def weights(
        self, x: Float[Tensor, "batch seq width"], sight: Sight
    ) -> Float[Tensor, "batch heads seq seq"]:
        """How much each token takes from each."""
        q, k, _ = self._heads(x)
        k = k.repeat_interleave(self.shape.n_heads // self.shape.n_kv_heads, dim=1)
        return sight.weights(q @ k.mT * self.shape.head_width**-0.5)

    def decode(
        self, x: Float[Tensor, "batch 1 width"], cache: LayerCache, place: Place
    ) -> Float[Tensor, "batch 1 width"]:
        """What one more token of each row gathers from the cache, which then holds it too."""
        n_batch, width = len(x), self.shape.head_width
        n_heads, n_kv = self.shape.n_heads, self.shape.n_kv_heads
        heads = self.qkv(x).view(n_batch, -1, 1, width)
        qk, v = heads.split((n_heads + n_kv, n_kv), dim=1)
        if self.rotary is not None:
            qk = self.rotary.at(place.positions, qk)
        q, k = qk.split((n_heads, n_kv), dim=1)
        cache.write(k, v, place)
        # Heads that share keys become rows of one query, so that keys are not repeated.
        gathered = _attend_once(
            q.reshape(n_batch, n_kv, -1, width), cache.keys[:, :, place.columns],
            cache.values[:, :, place.columns], place.mask,
        )  # fmt: skip
        out: Tensor = self.out(gathered.reshape(n_batch, 1, -1))
        return out

    def _heads(self, x: Float[Tensor, "batch seq width"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values."""
        n_batch, seq_len, _ = x.shape
        n_heads, n_kv = self.shape.n_heads, self.shape.n_kv_heads
        heads = self.qkv(x).view(n_batch, seq_len, -1, self.shape.head_width).transpose(1, 2)
        qk, v = heads.split((n_heads + n_kv, n_kv), dim=1)
        q, k = (qk if self.rotary is None else self.rotary(qk)).split((n_heads, n_kv), dim=1)
        return q, k, v


def attend(
    q: Float[Tensor, "batch heads seq width"],
    k: Float[Tensor, "batch kv_heads seq width"],
    v: Float[Tensor, "batch kv_heads seq width"],
    mask: Bool[Tensor, "#batch 1 seq seq"] | None,
    *,
    is_causal: bool = True,
) -> Float[Tensor, "batch heads seq width"]:
    """Means of the values, weighted by the softmax of scaled scores.

    A mask includes causality, where there is any; None hides nothing else.

    Second derivatives are refused, unless `derivatives.exact` was asked for.
    """
    is_grouped, needs_exact = q.shape[1] != k.shape[1], is_exact()
    if needs_exact or (is_causal and _is_faster_in_blocks(q)):
        n_groups = q.shape[1] // k.shape[1]
        k, v = (t.repeat_interleave(n_groups, dim=1) if is_grouped else t for t in (k, v))
        if needs_exact:
            return _attend_exactly(q, k, v, mask, is_causal=is_causal)
        return _attend_in_blocks(q, k, v, mask)
    return _attend_by_library(
        q, k, v, attn_mask=mask, is_causal=is_causal and mask is None, enable_gqa=is_grouped
    )


def _attend_exactly(
    q: Float[Tensor, "batch heads seq width"],
    k: Float[Tensor, "batch heads seq width"],
    v: Float[Tensor, "batch heads seq width"],
    mask: Bool[Tensor, "#batch 1 seq seq"] | None,
    *,
    is_causal: bool,
) -> Float[Tensor, "batch heads seq width"]:
    """The definition, with all scores at once."""
    sight = Sight(is_causal=is_causal, n_positions=q.shape[2], mask=mask)
    return sight.weights(q @ k.mT * q.shape[-1] ** -0.5).to(v.dtype) @ v


def _attend_by_library(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    gathered = nn.functional.scaled_dot_product_attention(q, k, v, **options)
    if torch.compiler.is_compiling() or gathered.grad_fn is None:
        return gathered
    is_fused = "ScaledDotProduct" in gathered.grad_fn.name()  # else it is made of plain products
    return first_only(gathered, q, k, v) if is_fused else gathered


def _attend_once(
    q: Float[Tensor, "batch kv_heads group width"],
    k: Float[Tensor, "batch kv_heads columns width"],
    v: Float[Tensor, "batch kv_heads columns width"],
    mask: Bool[Tensor, "batch 1 1 columns"] | None,
) -> Float[Tensor, "batch kv_heads group width"]:
    """Attention of a single token, whose products are too small for a library's to pay."""
    is_slow = torch.compiler.is_compiling() and q.device.type == "cpu"
    if not (is_slow or is_exact()):
        return _attend_by_library(q, k, v, attn_mask=mask)
    scores: Tensor = (q[:, :, :, None] * k[:, :, None]).sum(dim=-1) * q.shape[-1] ** -0.5
    seen = scores if mask is None else scores.masked_fill(~mask, -math.inf)
    gathered: Tensor = (seen.softmax(dim=-1)[..., None] * v[:, :, None]).sum(dim=-2)
    return gathered


def _is_faster_in_blocks(q: Tensor) -> bool:
    """On CPUs, whose flash kernel is slow in bf16 and cannot be fused with what is around it."""
    return q.device.type == "cpu" and (torch.compiler.is_compiling() or q.dtype != torch.float32)


def _attend_in_blocks(
    q: Float[Tensor, "batch heads seq width"],
    k: Float[Tensor, "batch heads seq width"],
    v: Float[Tensor, "batch heads seq width"],
    mask: Bool[Tensor, "#batch 1 seq seq"] | None,
) -> Float[Tensor, "batch heads seq width"]:
    """Blocks of queries one after the other, each with only the keys that causality leaves it."""
    if torch.is_grad_enabled():
        gathered: Tensor = _Blocks.apply(q, k, v, mask)[0]  # type: ignore[no-untyped-call]
        return first_only(gathered, q, k, v)
    q, k, v = (t.contiguous() for t in (q, k, v))
    rows = [_attend_in_block(q, k, v, mask, block)[0] for block in _blocks(q.shape[2])]
    return torch.cat(rows, dim=2)


class _Blocks(torch.autograd.Function):
    """Attention in blocks, of which only the weights are kept for the first derivatives."""

    generate_vmap_rule = True

    @staticmethod
    def forward(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, ...]:
        """What the queries gather, then the weights of each block."""
        q, k, v = (t.contiguous() for t in (q, k, v))
        pairs = [_attend_in_block(q, k, v, mask, block) for block in _blocks(q.shape[2])]
        gathered, kept = zip(*pairs, strict=True)
        return torch.cat(gathered, dim=2), *kept

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep the weights."""
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs[:3], *output[1:])

    @staticmethod
    def backward(ctx: Any, d_gathered: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Last block first: earlier blocks see fewer keys, so that the gradients shrink."""
        q, k, v, *kept = ctx.saved_tensors
        q, k, v, d_gathered = (t.contiguous() for t in (q, k, v, d_gathered))
        exact = torch.promote_types(q.dtype, torch.float32)
        d_q, d_k, d_v = [], [], []
        sum_k = sum_v = torch.zeros((), device=q.device)  # of the keys and values up to this block
        for (first, last), weights in reversed([*zip(_blocks(q.shape[2]), kept, strict=True)]):
            d_rows = d_gathered[:, :, first:last]
            d_weights = (d_rows @ v[:, :, :last].mT).to(exact) * weights
            d_scores = d_weights - weights * d_weights.sum(dim=-1, keepdim=True)
            d_scores = (d_scores * q.shape[-1] ** -0.5).to(q.dtype)
            sum_k = d_scores.mT @ q[:, :, first:last] + sum_k
            sum_v = weights.mT @ d_rows + sum_v
            d_q.append(d_scores @ k[:, :, :last])
            d_k.append(sum_k[:, :, first:])
            d_v.append(sum_v[:, :, first:])
            sum_k, sum_v = sum_k[:, :, :first], sum_v[:, :, :first]
        return *(torch.cat(d[::-1], dim=2).to(q.dtype) for d in (d_q, d_k, d_v)), None


def _blocks(seq_len: int) -> list[tuple[int, int]]:
    """First and last query of each block."""
    n_rows = max(_LEAST_ROWS, -(-seq_len // _MOST_BLOCKS))
    return [(first, min(first + n_rows, seq_len)) for first in range(0, seq_len, n_rows)]


def _attend_in_block(
    q: Float[Tensor, "batch heads seq width"],
    k: Float[Tensor, "batch heads seq width"],
    v: Float[Tensor, "batch heads seq width"],
    mask: Bool[Tensor, "#batch 1 seq seq"] | None,
    block: tuple[int, int],
) -> tuple[Float[Tensor, "batch heads rows width"], Float[Tensor, "batch heads rows columns"]]:
    """What the queries of a block gather, and their weights."""
    first, last = block
    scores = (q[:, :, first:last] * q.shape[-1] ** -0.5) @ k[:, :, :last].mT
    if mask is None:
        row = torch.arange(first, last, device=q.device)
        is_seen = row[:, None] >= torch.arange(last, device=q.device)
    else:
        is_seen = mask[:, :, first:last, :last]
    weights = scores.masked_fill(~is_seen, -math.inf).softmax(dim=-1).to(q.dtype)
    return weights @ v[:, :, :last], weights
