"""Decoding state in which tokens that left early get their keys and values when they are needed."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.models.attention_mask import AttentionMask
from physlm.models.block import Block
from physlm.models.context import Context
from physlm.models.decoder import Decoder
from physlm.models.state import BlockState, DecodingState, Place


@dataclass(slots=True)
class _Left:
    """Tokens that left at one state, and their residual stream there."""

    state: int
    rows: Int[Tensor, " tokens"]
    positions: Int[Tensor, " tokens"]
    x: Float[Tensor, "tokens 1 width"]

    def renumbered(self, numbers: Int[Tensor, " rows"]) -> "_Left":
        """The tokens of the rows whose new number is not -1."""
        rows = numbers[self.rows]
        is_kept = rows >= 0
        return _Left(self.state, rows[is_kept], self.positions[is_kept], self.x[is_kept])


class ExitState(DecodingState):
    """Keys and values of all tokens, those of tokens that left early in the blocks below alone.

    The others are computed by ``catch_up``, from the state at which the token left.

    Args:
        blocks: State of each block.
        lengths: Length of each prompt.
        n_positions: Tokens per row, including those yet to be generated.
        window: Attention window in tokens; None for no limit.
    """

    def __init__(
        self,
        blocks: list[BlockState],
        lengths: Int[Tensor, " batch"],
        *,
        n_positions: int,
        window: int | None,
    ) -> None:
        super().__init__(blocks, lengths, n_positions=n_positions, window=window)
        self._left: list[_Left] = []
        self._n_taken: dict[int, int] = {}  # entries of _left that caught up, by last state

    def leave(self, state: int, place: Place, x: Float[Tensor, "tokens 1 width"]) -> None:
        """Note that tokens leave at a state."""
        # Positions are those of the state, which advances in place.
        self._left.append(_Left(state, place.rows, place.positions.clone(), x))

    def catch_up(self, model: Decoder, first: int, last: int) -> None:
        """Compute what is missing in the blocks between two candidate states.

        Args:
            model: The decoder.
            first: Number of the first block; tokens that left at this state or before it are
                missing.
            last: The state after the last block.
        """
        recent = self._left[self._n_taken.get(last, 0) :]
        self._n_taken[last] = len(self._left)
        missing = [left for left in recent if left.state <= first]
        if not missing:
            return
        rows, positions = (
            torch.cat(parts)
            for parts in zip(*((left.rows, left.positions) for left in missing), strict=True)
        )
        context = Context(
            mask=AttentionMask(is_causal=True),
            n_positions=self.n_positions,
            decoding=self,
            place=Place(rows, positions, slice(0, 0), None, is_part=True),
        )
        x = torch.cat([left.x for left in missing])
        for number in range(first, last):
            block = model.blocks[number]
            assert isinstance(block, Block)
            block.remember(x, context.of_block(number))

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Drop all other rows."""
        numbers = torch.full((len(self.positions),), -1, device=rows.device)
        numbers[rows] = torch.arange(len(rows), device=rows.device)
        self._left = [left.renumbered(numbers) for left in self._left]
        super().keep(rows)

    def fix_shapes(self) -> None:
        """Refuse compilation, which needs equal shapes at every step.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "early exit runs different blocks for different tokens; use is_compiled=false"
        )
