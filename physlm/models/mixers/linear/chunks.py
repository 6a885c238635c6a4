"""Chunks of time, in which linear attention is computed in parallel.

A recurrence over tokens becomes one over chunks: within a chunk, tokens read each other by
products of matrices; earlier tokens reach them through the state at its beginning. Time is
padded to whole chunks by tokens that neither write to the state nor let it decay. Everything is
computed in fp32 at least; the sums of decays in fp64, as their differences are small where they
matter, and the sums are not.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_ROUND = 16  # sizes of chunks are multiples of it, unless a text is shorter


@dataclass(frozen=True, slots=True)
class Chunks:
    """The chunks of a text, and which of their tokens belong to one document.

    Attributes:
        n_tokens: Tokens of the text, without padding.
        size: Tokens of a chunk.
        segments: Segment of each token; None if the text is one. Padding belongs to the last.
    """

    n_tokens: int
    size: int
    segments: Int[Tensor, "batch chunks size"] | None

    @classmethod
    def of(cls, n_tokens: int, size: int, segments: Int[Tensor, "batch seq"] | None) -> "Chunks":
        """The chunks of ``n_tokens`` tokens."""
        size = min(size, n_tokens if n_tokens <= _ROUND else -(-n_tokens // _ROUND) * _ROUND)
        if segments is None:
            return cls(n_tokens, size, None)
        padding = segments[:, -1:].expand(-1, -n_tokens % size)
        padded = torch.cat([segments, padding], dim=1)
        return cls(n_tokens, size, padded.reshape(len(segments), -1, size))

    def cut(self, x: Float[Tensor, "batch seq heads *width"]) -> Tensor:
        """A tensor in chunks: batch, chunks, heads, size, and its width if it has one."""
        n_padding = -self.n_tokens % self.size
        x = x.to(torch.promote_types(x.dtype, torch.float32)).transpose(1, 2)
        shape = (0, 0) * (x.dim() - 3) + (0, n_padding)
        padded = torch.nn.functional.pad(x, shape)
        n_batch, n_heads, _, *width = padded.shape
        return padded.reshape(n_batch, n_heads, -1, self.size, *width).transpose(1, 2)

    def join(
        self, x: Float[Tensor, "batch chunks heads size width"]
    ) -> Float[Tensor, "batch seq heads width"]:
        """The tensor of the whole text."""
        return x.transpose(2, 3).flatten(1, 2)[:, : self.n_tokens]

    def own(self, device: torch.device) -> Bool[Tensor, "#batch #chunks 1 size size"]:
        """Which tokens of a chunk (columns) each of its tokens (rows) reads, itself included."""
        causal = torch.ones(self.size, self.size, dtype=torch.bool, device=device).tril()
        if self.segments is None:
            return causal[None, None, None]
        same = self.segments[..., None] == self.segments[..., None, :]
        return (causal & same)[:, :, None]

    def decays(
        self, total: Float[Tensor, "batch chunks heads size"], like: Tensor
    ) -> Float[Tensor, "batch chunks heads size size"]:
        """Factor by which each token of a chunk (columns) has decayed at each token (rows).

        It is 0 for tokens that are not read.

        Args:
            total: Sums of the heads' decays, see ``summed``.
            like: A tensor of the precision of the result.
        """
        apart = (total[..., :, None] - total[..., None, :]).to(like.dtype)
        # Before the exponential: what is not read would overflow, and its gradient be nan.
        return apart.masked_fill(~self.own(total.device), -torch.inf).exp()

    @property
    def reads(self) -> Bool[Tensor, "batch chunks 1 size"] | None:
        """Which tokens read the state at the beginning of their chunk; None for all."""
        if self.segments is None:
            return None
        first = self.segments[:, :1, :1]
        before = torch.cat([first, self.segments[:, :-1, -1:]], dim=1)
        return (self.segments == before)[:, :, None]

    @property
    def writes(self) -> Bool[Tensor, "batch chunks 1 size"] | None:
        """Which tokens reach the state at the end of their chunk; None for all."""
        if self.segments is None:
            return None
        return (self.segments == self.segments[..., -1:])[:, :, None]

    @property
    def passes(self) -> Bool[Tensor, "batch chunks 1"] | None:
        """Whether the state at the beginning of a chunk reaches its end; None for always."""
        reads = self.reads
        return None if reads is None else reads[..., -1]


def states_before(
    decay: Float[Tensor, "batch chunks heads #key"],
    written: Float[Tensor, "batch chunks heads key value"],
    state: Float[Tensor, "batch heads key value"],
) -> tuple[Float[Tensor, "batch chunks heads key value"], Float[Tensor, "batch heads key value"]]:
    """The state at the beginning of every chunk, and at the end of the last.

    Args:
        decay: Factor by which the state at the beginning of a chunk has decayed at its end.
        written: What the tokens of a chunk add to the state at its end.
        state: State at the beginning of the text.
    """
    found = []
    for left, new in zip(decay.unbind(1), written.unbind(1), strict=True):
        found.append(state)
        state = left[..., None] * state + new
    return torch.stack(found, dim=1), state


def summed(log_decay: Float[Tensor, "*any size"], dim: int) -> Float[Tensor, "*any size"]:
    """Sums of decays from the beginning of each chunk, token included, in fp64."""
    return log_decay.double().cumsum(dim=dim)


def decay(exponent: Float[Tensor, "*any"], like: Tensor) -> Float[Tensor, "*any"]:
    """The exponential of a difference of sums, in the precision of another tensor."""
    return exponent.to(like.dtype).exp()


def masked(x: Tensor, is_kept: Tensor | None) -> Tensor:
    """The tensor with zeros where it is not kept; None keeps all."""
    return x if is_kept is None else x.masked_fill(~is_kept, 0.0)


def column(is_kept: Bool[Tensor, "*any"] | None) -> Bool[Tensor, "*any 1"] | None:
    """The mask with an axis for channels, which are kept together; None keeps all."""
    return None if is_kept is None else is_kept[..., None]
