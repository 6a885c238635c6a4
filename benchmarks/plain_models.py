"""Two architectures that people train small models with, in plain PyTorch.

Written from what they compute. Both are pre-norm transformers with learned positions, one fused
projection of queries, keys and values, GELU in its exact form and a head tied to the embedding.
They differ in their attention.

Source:
    Arora et al. (2024), Zoology; Karpathy's nanoGPT.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from benchmarks.shapes import Shape

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]  # of [batch, seq, heads, width] each


def zoology(shape: Shape) -> nn.Module:
    """Zoology's: sums over an index, scaled after the product, with a mask of Booleans."""
    future = torch.ones(shape.seq_len, shape.seq_len, dtype=torch.bool).triu(1)
    return _PlainTransformer(shape, partial(_attend_by_sums, future=future))


def nano_gpt(shape: Shape) -> nn.Module:
    """nanoGPT's: the library's scaled dot-product attention."""
    return _PlainTransformer(shape, _attend_by_library)


def _attend_by_sums(q: Tensor, k: Tensor, v: Tensor, *, future: Tensor) -> Tensor:
    scores = torch.einsum("bthd,bshd->bhts", q, k) * q.shape[-1] ** -0.5
    weights = scores.masked_fill(future, -torch.inf).softmax(dim=-1, dtype=v.dtype)
    return torch.einsum("bhts,bshd->bthd", weights, v)


def _attend_by_library(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


class _PlainTransformer(nn.Module):
    """Logits of every position."""

    def __init__(self, shape: Shape, attend: Attend) -> None:
        super().__init__()
        self.tokens = nn.Embedding(shape.vocabulary_size, shape.d_model)
        self.positions = nn.Embedding(shape.seq_len, shape.d_model)
        self.blocks = nn.ModuleList(_Block(shape, attend) for _ in range(shape.n_layers))
        self.norm = nn.LayerNorm(shape.d_model)
        self.head = nn.Linear(shape.d_model, shape.vocabulary_size, bias=False)
        self.head.weight = self.tokens.weight
        self.apply(_initialise)

    def forward(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq vocab"]:
        """Scores of the next token."""
        x = self.tokens(tokens) + self.positions(
            torch.arange(tokens.shape[1], device=tokens.device)
        )
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits


class _Block(nn.Module):
    def __init__(self, shape: Shape, attend: Attend) -> None:
        super().__init__()
        width = shape.d_model
        self.n_heads, self.attend = shape.n_heads, attend
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch seq width"]:
        qkv = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.n_heads, -1))
        x = x + self.out(self.attend(*qkv.unbind(dim=2)).flatten(2))
        return x + self.mlp(self.mlp_norm(x))


def _initialise(module: nn.Module) -> None:
    """As GPT-2; the default of an embedding would make the first losses very large."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
