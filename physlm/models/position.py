"""How a decoder knows where a token stands."""

from enum import Enum

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PositionEncoding(str, Enum):
    """Rotary (as in the papers), learned absolute (as in GPT-2), or none."""

    rope = "rope"
    learned = "learned"
    none = "none"


class Rotary(nn.Module):
    """Rotations of queries and keys by angles proportional to position.

    The first ``fraction`` of each head is rotated, in pairs half of that width apart.

    Source:
        Su et al. (2021), RoFormer; the half-split pairing of GPT-NeoX.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, head_width: int, n_positions: int, *, fraction: float, base: float) -> None:
        super().__init__()
        self.n_pairs = int(head_width * fraction) // 2
        self.base = base
        cos, sin = self._tables(n_positions)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch heads seq width"]
    ) -> Float[Tensor, "batch heads seq width"]:
        """The same vectors, rotated."""
        seq_len = x.shape[-2]
        if seq_len > len(self.cos):
            self.cos, self.sin = (t.to(x.device) for t in self._tables(seq_len))
        cos, sin = self.cos[:seq_len].to(x.dtype), self.sin[:seq_len].to(x.dtype)
        turned, rest = x.tensor_split((2 * self.n_pairs,), dim=-1)
        first, second = turned.chunk(2, dim=-1)
        rotated = torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
        return torch.cat((rotated, rest), dim=-1) if rest.shape[-1] else rotated

    def _tables(self, n_positions: int) -> tuple[Tensor, Tensor]:
        frequencies = self.base ** (-torch.arange(self.n_pairs, dtype=torch.float64) / self.n_pairs)
        angles = torch.arange(n_positions, dtype=torch.float64)[:, None] * frequencies
        return angles.cos().float(), angles.sin().float()
