"""Decoding states: what generation keeps of earlier tokens, so that a new token costs one step."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.models.attention_mask import softmax_of_seen

# Tokens by which keys and values grow at a time. Allocating all positions at once would leave gaps
# between the heads' keys, across which a CPU reads up to a third slower.
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where tokens of one row each are written, and which columns they see.

    Attributes:
        rows: The row of each token: 0, 1, 2, ... for the next tokens of all rows.
        positions: Position of each token, which is its column in every layer's keys and values.
        columns: Columns that any token may see, including those of the tokens.
        mask: Which of them each token sees; None for all, and then the last column is each token's
            own.
        is_part: Whether rows may be missing or repeated.
    """

    rows: Int[Tensor, " batch"]
    positions: Int[Tensor, " batch"]
    columns: slice
    mask: Bool[Tensor, "batch 1 1 columns"] | None
    is_part: bool = False

    def part(self, tokens: Int[Tensor, " part"]) -> "Place":
        """The place of some of the tokens."""
        mask = None if self.mask is None else self.mask[tokens]
        return Place(self.rows[tokens], self.positions[tokens], self.columns, mask, is_part=True)

    def seen(
        self, kept: Float[Tensor, "rows kv_heads positions width"]
    ) -> Float[Tensor, "batch kv_heads columns width"]:
        """The columns of each token's row."""
        columns = kept[:, :, self.columns]
        return columns[self.rows] if self.is_part else columns

    @property
    def distances(self) -> Int[Tensor, "#batch columns"]:
        """Distance from each row's next token back to each column; 0 for columns after it."""
        columns = torch.arange(self.columns.start, self.columns.stop, device=self.positions.device)
        positions = self.positions if self.mask is not None else self.positions[:1]
        return (positions[:, None] - columns).clamp(min=0)

    def weights(
        self, scores: Float[Tensor, "#batch heads rows columns"]
    ) -> Float[Tensor, "#batch heads rows columns"]:
        """Attention weights of the next token over the columns."""
        return softmax_of_seen(scores, self.mask)


class MixerState(ABC):
    """Decoding state of one mixer; each kind of mixer defines its own."""

    @abstractmethod
    def reserve(self, n_positions: int) -> None:
        """Allocate room for ``n_positions`` tokens in each row."""

    @abstractmethod
    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Drop all other rows."""


@dataclass(frozen=True, slots=True)
class BlockState(MixerState):
    """Decoding state of one block.

    Attributes:
        mixer: State of its mixer.
        convolutions: States of all convolutions in the block, by number.
    """

    mixer: MixerState
    convolutions: Sequence[MixerState] = ()

    def reserve(self, n_positions: int) -> None:
        """Allocate room for ``n_positions`` tokens in each row."""
        for state in (self.mixer, *self.convolutions):
            state.reserve(n_positions)

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Drop all other rows."""
        for state in (self.mixer, *self.convolutions):
            state.keep(rows)


class KeyValueState(MixerState):
    """Keys and values of one layer, in tensors that are written in place and grow in blocks.

    Attributes:
        keys: Keys; of width 0 for mixers without content-based scores.
        values: One value per key.
        of_distances: The layer's projections of distance embeddings, which its scores use.
    """

    keys: Float[Tensor, "batch kv_heads positions key_width"]
    values: Float[Tensor, "batch kv_heads positions width"]
    of_distances: tuple[Tensor, ...]

    def fill(
        self,
        keys: Float[Tensor, "batch kv_heads seq key_width"],
        values: Float[Tensor, "batch kv_heads seq width"],
        of_distances: tuple[Tensor, ...] = (),
    ) -> None:
        """Store the keys and values of whole prompts."""
        self.keys, self.values = keys.contiguous(), values.contiguous()
        self.of_distances = of_distances

    def reserve(self, n_positions: int) -> None:
        """Allocate room for ``n_positions`` tokens in each row."""
        # Zeros, not empty memory: masked values are still multiplied by 0, and 0 times nan is nan.
        self.keys, self.values = (
            torch.nn.functional.pad(x, (0, 0, 0, n_positions - x.shape[2]))
            for x in (self.keys, self.values)
        )

    def write(
        self,
        keys: Float[Tensor, "batch kv_heads 1 key_width"],
        values: Float[Tensor, "batch kv_heads 1 width"],
        place: Place,
    ) -> None:
        """Add one token at each place."""
        # Rows of equal length share a column: one slice copy instead of a scatter.
        for kept, new in ((self.keys, keys), (self.values, values)):
            if place.mask is None and not place.is_part:
                kept.select(2, place.columns.stop - 1).copy_(new.squeeze(2))
            else:
                kept[place.rows, :, place.positions] = new.squeeze(2).to(kept.dtype)

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Drop all other rows."""
        self.keys, self.values = self.keys[rows], self.values[rows]


class DecodingState:
    """Decoding state of a decoder: texts of possibly different lengths, one per row.

    Prompts are aligned at their first token. Padding after a short prompt is never seen, and is
    overwritten as the text grows.

    Attributes:
        blocks: State of each block.
        positions: Position of the next token of each row.
        n_positions: Tokens per row, including those yet to be generated.
    """

    def __init__(
        self,
        blocks: Sequence[BlockState],
        lengths: Int[Tensor, " batch"],
        *,
        n_positions: int,
        window: int | None,
    ) -> None:
        self.blocks = blocks
        self.positions = lengths.clone()
        self.n_positions, self._n_reserved = n_positions, 0
        self._window = window
        shortest, self._longest = (int(n) for n in lengths.aminmax())
        self._is_even = shortest == self._longest
        self._is_static = False
        self._rows = torch.arange(len(lengths), device=lengths.device)

    def place(self) -> Place:
        """Place of the next token.

        While all rows have the same length, the columns they see are one slice, without a mask.
        """
        end = self.n_positions if self._is_static else self._longest + 1
        if end > self._n_reserved:
            self._reserve(min(end + _BLOCK, self.n_positions))
        if self._is_even and not self._is_static:
            start = 0 if self._window is None else max(0, end - self._window)
            return Place(self._rows, self.positions, slice(start, end), None)
        distance = self.positions[:, None] - torch.arange(end, device=self.positions.device)
        mask = distance >= 0
        if self._window is not None:
            mask &= distance < self._window
        return Place(self._rows, self.positions, slice(0, end), mask[:, None, None])

    def advance(self) -> None:
        """Count the token that was added to each row."""
        self.positions += 1
        if not self._is_static:
            self._longest += 1

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Drop all other rows."""
        for block in self.blocks:
            block.keep(rows)
        self.positions, self._rows = self.positions[rows], self._rows[: len(rows)]

    def fix_shapes(self) -> None:
        """From now on use all columns and a mask, so that every step has the same shapes.

        One compiled step then serves all tokens, and a CUDA graph finds its tensors in place.
        """
        self._is_static = True
        self._reserve(self.n_positions)

    def _reserve(self, n_positions: int) -> None:
        self._n_reserved = n_positions
        for block in self.blocks:
            block.reserve(n_positions)
