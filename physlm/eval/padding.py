"""Texts of different lengths as one tensor."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor


def padded(
    rows: Sequence[np.ndarray], padding: int = 0
) -> tuple[Int[Tensor, "rows longest"], Int[Tensor, " rows"]]:
    """Rows of tokens, padded on the right, and their lengths.

    What a causal model computes at a token does not depend on the padding after it.
    """
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.full((len(rows), int(lengths.max())), padding, dtype=torch.long)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = torch.from_numpy(row)
    return tokens, lengths
