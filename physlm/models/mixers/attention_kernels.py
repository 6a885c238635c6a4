"""Kernels of softmax attention: in blocks of queries, by torch's kernel, or exactly."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from physlm.models.alibi import distance_bias
from physlm.models.attention_mask import AttentionMask, distances
from physlm.models.derivatives import first_only, is_exact

# Smallest block of queries, and largest number of blocks. Smaller blocks skip more of the masked
# future; more blocks take longer to compile, since each is unrolled into the program. Of blocks of
# 64, 128 and 256 queries in windows of 512, those of 64 were fastest.
_LEAST_ROWS = 64
_MOST_BLOCKS = 8


def attend(
    q: Float[Tensor, "batch heads seq width"],
    k: Float[Tensor, "batch kv_heads seq width"],
    v: Float[Tensor, "batch kv_heads seq width"],
    mask: AttentionMask,
    bias_by_head: Float[Tensor, "2 heads"] | None = None,
) -> Float[Tensor, "batch heads seq width"]:
    """Scaled dot-product attention; heads may share keys and values.

    Second derivatives are refused outside of `derivatives.exact`.

    Args:
        q: Queries.
        k: Keys; their heads divide those of the queries.
        v: Values.
        mask: Which tokens see which.
        bias_by_head: Slopes and reach of ALiBi; None for none.
    """
    is_grouped, needs_exact = q.shape[1] != k.shape[1], is_exact()
    if needs_exact or (mask.is_causal and _is_faster_in_blocks(q)):
        # The blocks' products need equal heads; torch's kernel shares keys without copies.
        n_groups = q.shape[1] // k.shape[1]
        k, v = (t.repeat_interleave(n_groups, dim=1) if is_grouped else t for t in (k, v))
        by_hand = _attend_exactly if needs_exact else _attend_in_blocks
        return by_hand(q, k, v, mask, bias_by_head)
    dense = mask.dense(q.shape[2], q.device)
    if bias_by_head is not None:
        dense = _dense_bias(bias_by_head, mask, q)
    return _attend_by_library(
        q, k, v, attn_mask=dense, is_causal=mask.is_causal and dense is None, enable_gqa=is_grouped
    )


def _dense_bias(
    by_head: Float[Tensor, "2 heads"],
    mask: AttentionMask,
    q: Float[Tensor, "batch heads seq width"],
) -> Float[Tensor, "#batch heads seq seq"]:
    """ALiBi, and minus infinity where a token is not seen."""
    shape = (0, q.shape[2], q.shape[2], q.device)
    return (
        distance_bias(by_head, distances(*shape)).masked_fill(~mask.rows(*shape), -math.inf).to(q)
    )


def _attend_exactly(
    q: Float[Tensor, "batch heads seq width"],
    k: Float[Tensor, "batch heads seq width"],
    v: Float[Tensor, "batch heads seq width"],
    mask: AttentionMask,
    bias_by_head: Float[Tensor, "2 heads"] | None,
) -> Float[Tensor, "batch heads seq width"]:
    """Attention by its definition, which autograd differentiates in every order."""
    return mask.weights(q @ k.mT * q.shape[-1] ** -0.5, bias_by_head).to(v.dtype) @ v


def _attend_by_library(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    gathered = nn.functional.scaled_dot_product_attention(q, k, v, **options)
    if torch.compiler.is_compiling() or gathered.grad_fn is None:
        return gathered
    # Torch chooses its kernel at run time; the math path is plain products, twice differentiable.
    is_fused = "ScaledDotProduct" in gathered.grad_fn.name()
    return first_only(gathered, q, k, v) if is_fused else gathered


def attend_once(
    q: Float[Tensor, "batch kv_heads group width"],
    k: Float[Tensor, "batch kv_heads columns width"],
    v: Float[Tensor, "batch kv_heads columns width"],
    mask: Bool[Tensor, "batch 1 1 columns"] | None,
    bias: Float[Tensor, "#batch kv_heads group columns"] | None = None,
) -> Float[Tensor, "batch kv_heads group width"]:
    """Attention of a single query token per row, for decoding.

    Args:
        q: Queries; heads that share keys are the rows of one group.
        k: Keys in the decoding state.
        v: Values in the decoding state.
        mask: Columns that each row sees; None for all.
        bias: Added to the scores; None for nothing.
    """
    # Compiled on a CPU, sums of products fuse into one loop; matrix products of one row would each
    # be a call of the library, which costs more than the arithmetic.
    is_slow = torch.compiler.is_compiling() and q.device.type == "cpu"
    if not (is_slow or is_exact()):
        if bias is None:
            return _attend_by_library(q, k, v, attn_mask=mask)
        terms = bias if mask is None else bias.masked_fill(~mask, -math.inf)
        return _attend_by_library(q, k, v, attn_mask=terms.to(q.dtype))
    scores: Tensor = (q[:, :, :, None] * k[:, :, None]).sum(dim=-1) * q.shape[-1] ** -0.5
    scores = scores if bias is None else scores + bias.to(scores.dtype)
    seen = scores if mask is None else scores.masked_fill(~mask, -math.inf)
    gathered: Tensor = (seen.softmax(dim=-1)[..., None] * v[:, :, None]).sum(dim=-2)
    return gathered


def _is_faster_in_blocks(q: Tensor) -> bool:
    """On CPUs, whose flash kernel is slow in bf16 and cannot be fused with other operations."""
    return q.device.type == "cpu" and (torch.compiler.is_compiling() or q.dtype != torch.float32)


def _attend_in_blocks(
    q: Float[Tensor, "batch heads seq width"],
    k: Float[Tensor, "batch heads seq width"],
    v: Float[Tensor, "batch heads seq width"],
    mask: AttentionMask,
    bias_by_head: Float[Tensor, "2 heads"] | None = None,
) -> Float[Tensor, "batch heads seq width"]:
    """Blocks of queries one after the other, each with only the keys up to its last query."""
    if torch.is_grad_enabled():
        # Plain autograd would keep scores and masks of every block; this keeps the weights only.
        gathered: Tensor = _Blocks.apply(q, k, v, mask.segments, mask.window, bias_by_head)[0]  # type: ignore[no-untyped-call]
        return first_only(gathered, q, k, v)
    q, k, v = (t.contiguous() for t in (q, k, v))
    blocks = _blocks(q.shape[2])
    rows = [_attend_in_block(q, k, v, mask, block, bias_by_head)[0] for block in blocks]
    return torch.cat(rows, dim=2)


class _Blocks(torch.autograd.Function):
    """Attention in blocks that keeps only inputs and weights for the backward pass."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        segments: Tensor | None,
        window: int | None,
        bias_by_head: Tensor | None,
    ) -> tuple[Tensor, ...]:
        """The output, then the weights of each block."""
        mask = AttentionMask(is_causal=True, window=window, segments=segments)
        # Heads are views of one fused projection; products of strided slices copy them per block.
        q, k, v = (t.contiguous() for t in (q, k, v))
        blocks = _blocks(q.shape[2])
        pairs = [_attend_in_block(q, k, v, mask, block, bias_by_head) for block in blocks]
        gathered, kept = zip(*pairs, strict=True)
        return torch.cat(gathered, dim=2), *kept

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep inputs and weights. The weights are outputs only so that they can be saved here."""
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs[:3], *output[1:])

    @staticmethod
    def backward(ctx: Any, d_gathered: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients, last block first: earlier blocks see a prefix of its keys."""
        q, k, v, *kept = ctx.saved_tensors
        q, k, v, d_gathered = (t.contiguous() for t in (q, k, v, d_gathered))
        # The softmax's gradient subtracts nearly equal numbers, which bf16 would round away.
        exact = torch.promote_types(q.dtype, torch.float32)
        d_q, d_k, d_v = [], [], []
        # Gradients of the keys and values before the current block's end, summed over the blocks
        # after it. Each step finishes the rows of its own block and passes the shorter rest on:
        # adding into full-length tensors would read and write all of them once per block.
        sum_k = sum_v = torch.zeros((), device=q.device)
        for (first, last), weights in reversed([*zip(_blocks(q.shape[2]), kept, strict=True)]):
            d_rows = d_gathered[:, :, first:last]
            d_weights = (d_rows @ v[:, :, :last].mT).to(exact) * weights
            # Of softmax: w * (dw - sum(w * dw)), with d_weights already multiplied by w.
            d_scores = d_weights - weights * d_weights.sum(dim=-1, keepdim=True)
            d_scores = (d_scores * q.shape[-1] ** -0.5).to(q.dtype)
            sum_k = d_scores.mT @ q[:, :, first:last] + sum_k
            sum_v = weights.mT @ d_rows + sum_v
            d_q.append(d_scores @ k[:, :, :last])
            d_k.append(sum_k[:, :, first:])
            d_v.append(sum_v[:, :, first:])
            sum_k, sum_v = sum_k[:, :, :first], sum_v[:, :, :first]
        d_qkv = (torch.cat(d[::-1], dim=2).to(q.dtype) for d in (d_q, d_k, d_v))
        return *d_qkv, None, None, None


def _blocks(seq_len: int) -> list[tuple[int, int]]:
    """First and last query of each block."""
    n_rows = max(_LEAST_ROWS, -(-seq_len // _MOST_BLOCKS))
    return [(first, min(first + n_rows, seq_len)) for first in range(0, seq_len, n_rows)]


def _attend_in_block(
    q: Float[Tensor, "batch heads seq width"],
    k: Float[Tensor, "batch heads seq width"],
    v: Float[Tensor, "batch heads seq width"],
    mask: AttentionMask,
    block: tuple[int, int],
    bias_by_head: Float[Tensor, "2 heads"] | None,
) -> tuple[Float[Tensor, "batch heads rows width"], Float[Tensor, "batch heads rows columns"]]:
    """Output of a block of queries, and their attention weights.

    Args:
        q: All queries.
        k: All keys.
        v: All values.
        mask: Which tokens see which.
        block: First query of the block, and the first one after it.
        bias_by_head: Slopes and reach of ALiBi; None for none.
    """
    first, last = block
    # Queries are scaled before the product: they are smaller than the scores.
    scores = (q[:, :, first:last] * q.shape[-1] ** -0.5) @ k[:, :, :last].mT
    if bias_by_head is not None:
        scores = scores + distance_bias(bias_by_head, distances(first, last, last, q.device))
    is_seen = mask.rows(first, last, last, q.device)
    weights = scores.masked_fill(~is_seen, -math.inf).softmax(dim=-1).to(q.dtype)
    return weights @ v[:, :, :last], weights
