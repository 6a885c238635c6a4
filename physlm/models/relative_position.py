"""Distances between two tokens: their embeddings, and scores by distance laid out by pairs."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.components import n_distances


class RelativePositions(nn.Module):
    """One embedding for each distance from a token back to another, shared by all layers.

    Distances that no training window has share the embedding of the furthest one.

    Attributes:
        is_causal: Whether a token looks back only; if not, distances have both signs.
    """

    def __init__(self, seq_len: int, d_model: int, *, is_causal: bool) -> None:
        super().__init__()
        self.is_causal = is_causal
        self.embedding = nn.Embedding(n_distances(seq_len, is_causal=is_causal), d_model)

    def forward(self, n_positions: int) -> Float[Tensor, "distances width"]:
        """Of all distances between so many tokens, in ascending order."""
        n_rows = self.embedding.num_embeddings
        rows = torch.arange(n_positions, device=self.embedding.weight.device)
        if not self.is_causal:
            rows = torch.arange(1 - n_positions, n_positions, device=rows.device) + n_rows // 2
        embeddings: Tensor = self.embedding(rows.clamp(0, n_rows - 1))
        return embeddings


def by_pair(
    scores: Float[Tensor, "*heads rows distances_1"], first: int
) -> Float[Tensor, "*heads rows distances"]:
    """Each row moved one further to the right: column c of row r gets score ``first + c - r``.

    Without gathering: read as one line, rows that are one shorter are rows that move by one. The
    last score of each row is never asked for, and what lies outside of a row's scores is some
    other finite one, for the caller to hide.

    Source:
        Dai et al. (2019), Transformer-XL, appendix B.
    """
    *heads, n_rows, n_scores = scores.shape
    n_moved = n_scores - 1
    line = scores.flatten(-2)[..., first : first + n_rows * n_moved]
    return line.view(*heads, n_rows, n_moved)
