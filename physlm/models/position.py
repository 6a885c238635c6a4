"""Rotary positions: queries and keys rotated by angles proportional to the position."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Rotary(nn.Module):
    """Rotations of queries and keys by angles proportional to position.

    The first ``fraction`` of each head is rotated, in pairs half of that width apart, or of
    neighbours if interleaved.

    Attributes:
        heads_fraction: Fraction of the heads to rotate, the first ones; the mixer leaves out the
            others.

    Source:
        Su et al. (2021), RoFormer, whose pairs are neighbours; the half-split pairing of GPT-NeoX.
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        head_width: int,
        n_positions: int,
        *,
        fraction: float,
        base: float,
        heads_fraction: float = 1.0,
        is_interleaved: bool = False,
    ) -> None:
        super().__init__()
        self.heads_fraction, self.is_interleaved = heads_fraction, is_interleaved
        self.n_pairs = rotated_pairs(head_width, fraction)
        self.base = base
        cos, sin = self._tables(n_positions)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch heads seq width"]
    ) -> Float[Tensor, "batch heads seq width"]:
        """The same vectors, rotated."""
        seq_len = x.shape[-2]
        self.reach(seq_len)
        return self._turned(x, self.cos[:seq_len], self.sin[:seq_len])

    def at(
        self, positions: Int[Tensor, " batch"], x: Float[Tensor, "batch heads 1 width"]
    ) -> Float[Tensor, "batch heads 1 width"]:
        """One vector per row and head, rotated to its row's position; the tables must cover it."""
        cos, sin = (table[positions][:, None, None] for table in (self.cos, self.sin))
        return self._turned(x, cos, sin)

    def reach(self, n_positions: int) -> None:
        """Extend the tables to at least ``n_positions``."""
        if n_positions > len(self.cos):
            # Tensors made in inference mode cannot be used in training later.
            with torch.inference_mode(mode=False):
                self.cos, self.sin = (t.to(self.cos.device) for t in self._tables(n_positions))

    def _turned(
        self,
        x: Float[Tensor, "batch heads seq width"],
        cos: Float[Tensor, "*positions pairs"],
        sin: Float[Tensor, "*positions pairs"],
    ) -> Float[Tensor, "batch heads seq width"]:
        cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        turned, rest = x.tensor_split((2 * self.n_pairs,), dim=-1)
        if self.is_interleaved:
            first, second = turned[..., ::2], turned[..., 1::2]
        else:
            first, second = turned.chunk(2, dim=-1)
        pair = (first * cos - second * sin, second * cos + first * sin)
        rotated = (
            torch.stack(pair, dim=-1).flatten(-2) if self.is_interleaved else torch.cat(pair, -1)
        )
        return torch.cat((rotated, rest), dim=-1) if rest.shape[-1] else rotated

    def _tables(self, n_positions: int) -> tuple[Tensor, Tensor]:
        frequencies = self.base ** (-torch.arange(self.n_pairs, dtype=torch.float64) / self.n_pairs)
        angles = torch.arange(n_positions, dtype=torch.float64)[:, None] * frequencies
        return angles.cos().float(), angles.sin().float()


def rotated_pairs(head_width: int, fraction: float) -> int:
    """Number of pairs of a head that are rotated."""
    # Fractions such as 0.3 of 20 are a little less than whole in binary.
    return int(head_width * fraction + 1e-9) // 2
