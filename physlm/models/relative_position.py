"""Relative positions: embeddings of distances, and scores by distance rearranged by token pair."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.components import n_distances


class RelativePositions(nn.Module):
    """One embedding for each distance from a token back to another, shared by all layers.

    Distances longer than any in a training window use the embedding of the longest one.

    Attributes:
        is_causal: Whether tokens see only earlier ones; otherwise distances have both signs.
    """

    def __init__(self, seq_len: int, d_model: int, *, is_causal: bool) -> None:
        super().__init__()
        self.is_causal = is_causal
        self.embedding = nn.Embedding(n_distances(seq_len, is_causal=is_causal), d_model)

    def forward(self, n_positions: int) -> Float[Tensor, "distances width"]:
        """Embeddings of all distances between ``n_positions`` tokens, in ascending order."""
        n_rows = self.embedding.num_embeddings
        rows = torch.arange(n_positions, device=self.embedding.weight.device)
        if not self.is_causal:
            rows = torch.arange(1 - n_positions, n_positions, device=rows.device) + n_rows // 2
        embeddings: Tensor = self.embedding(rows.clamp(0, n_rows - 1))
        return embeddings


def by_pair(
    scores: Float[Tensor, "*heads rows distances_1"], first: int
) -> Float[Tensor, "*heads rows distances"]:
    """Shift row r by r to the right: column c of row r gets score ``first + c - r``.

    This is a view, not a gather: rows read one element shorter than they are stored start one
    element further left each. The last score of each row is never used. Entries outside of a row's
    scores are other finite scores, which the caller masks.

    Source:
        Dai et al. (2019), Transformer-XL, appendix B.
    """
    *heads, n_rows, n_scores = scores.shape
    n_moved = n_scores - 1
    line = scores.flatten(-2)[..., first : first + n_rows * n_moved]
    return line.view(*heads, n_rows, n_moved)
