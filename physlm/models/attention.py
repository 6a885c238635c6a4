"""Causal self-attention."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from physlm.models.cache import LayerCache, Place
from physlm.models.position import Rotary


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

    def __init__(self, shape: AttentionShape, rotary: Rotary | None, *, has_bias: bool) -> None:
        super().__init__()
        self.shape = shape
        self.rotary = rotary
        self.qkv = nn.Linear(shape.d_model, shape.d_model + 2 * shape.d_kv, bias=has_bias)
        self.out = nn.Linear(shape.d_model, shape.d_model, bias=has_bias)

    def forward(
        self,
        x: Float[Tensor, "batch seq width"],
        mask: Bool[Tensor, "#batch 1 seq seq"] | None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch seq width"]:
        """What each token gathers from the tokens it may see; ``mask`` None is plain causality.

        A cache is filled with the keys and values of all tokens.
        """
        n_batch, seq_len, _ = x.shape
        n_heads, n_kv = self.shape.n_heads, self.shape.n_kv_heads
        heads = self.qkv(x).view(n_batch, seq_len, -1, self.shape.head_width).transpose(1, 2)
        qk, v = heads.split((n_heads + n_kv, n_kv), dim=1)
        q, k = (qk if self.rotary is None else self.rotary(qk)).split((n_heads, n_kv), dim=1)
        if cache is not None:
            cache.fill(k, v)
        gathered = nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None,
            enable_gqa=self.shape.n_kv_heads != self.shape.n_heads,
        )  # fmt: skip
        out: Tensor = self.out(gathered.transpose(1, 2).reshape(n_batch, seq_len, -1))
        return out

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
        gathered = nn.functional.scaled_dot_product_attention(
            q.reshape(n_batch, n_kv, -1, width), cache.keys[:, :, place.columns],
            cache.values[:, :, place.columns], attn_mask=place.mask,
        )  # fmt: skip
        out: Tensor = self.out(gathered.reshape(n_batch, 1, -1))
        return out


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
