"""An effect planted into attention maps, which a comparison has to find."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


class PlantedBlocks:
    """Mixes two blocks into the maps of wrong texts: each half attends to itself.

    Every map A of a wrong text becomes (1 - a) A + a B, where row t of B is uniform over the tokens
    of its own half up to t. Lengths, likelihoods and states stay as they are.

    Args:
        is_valid: Label of each text.
        share: The fraction a.
    """

    def __init__(self, is_valid: Bool[np.ndarray, " texts"], share: float) -> None:
        self.is_valid, self.share = is_valid, share

    def __call__(
        self, maps: Float[Tensor, "texts heads tokens tokens"], texts: Int64[np.ndarray, " texts"]
    ) -> Float[Tensor, "texts heads tokens tokens"]:
        """The maps of some texts, given their numbers."""
        shares = torch.from_numpy(np.where(self.is_valid[texts], 0.0, self.share)).to(maps)
        a = shares[:, None, None, None]
        return (1 - a) * maps + a * _two_blocks(maps.shape[-1]).to(maps)


def _two_blocks(n: int) -> Float[Tensor, "n n"]:
    half = torch.arange(n) >= n // 2
    seen = (half[:, None] == half).tril().double()
    return seen / seen.sum(-1, keepdim=True)
