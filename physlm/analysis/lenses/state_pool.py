"""States of many windows, from which lenses are fitted and evaluated."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.analysis.lenses.lens import frozen, width_of
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

_KEPT = 2**28  # numbers of one shard: 1 GiB in fp32
_AT_ONCE = 2**24  # numbers of the states of one forward pass


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of tokens, and the tokens in them whose states count.

    Attributes:
        tokens: Token ids; rows may be padded on the right.
        is_visible: False at padding and at tokens to leave out; None if all count.
        segments: Segment number of each token; None for one segment per row.
    """

    tokens: Int[Tensor, "windows seq"]
    is_visible: Bool[Tensor, "windows seq"] | None = None
    segments: Int[Tensor, "windows seq"] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def chosen(self, rows: Int[Tensor, " rows"]) -> "Windows":
        """Some of the windows."""
        parts = (self.tokens, self.is_visible, self.segments)
        return Windows(*(None if part is None else part[rows] for part in parts))  # type: ignore[arg-type]

    def counted(self, skip_first: int) -> Bool[Tensor, "windows seq"]:
        """Tokens that are visible and not among the first of their segment.

        Args:
            skip_first: Tokens to leave out at the start of each segment.
        """
        place = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        start = torch.zeros_like(self.tokens)
        if self.segments is not None:
            begins = self.segments[:, 1:] != self.segments[:, :-1]
            start[:, 1:] = torch.where(begins, place[1:], 0).cummax(dim=1).values
        is_counted = place - start >= skip_first
        return is_counted if self.is_visible is None else is_counted & self.is_visible


class StatePool:
    """States 0 to L at all counted tokens of some windows, in shards that fit in memory.

    A single shard is computed once and kept. Several are random parts of the windows, computed
    again in each pass.

    Args:
        model: The model that reads the windows.
        windows: The windows.
        skip_first: Tokens left out at the start of each segment.
        seed: Seed of the order of windows and tokens.
        is_shuffled: Pair each token's states below L with state L of another token. A lens fitted
            on such pairs can learn no more than the average prediction.
        n_kept: Maximum number of values of a shard.

    Raises:
        InputError: If no token counts.
    """

    def __init__(
        self,
        model: LanguageModel,
        windows: Windows,
        *,
        skip_first: int,
        seed: int,
        is_shuffled: bool = False,
        n_kept: int = _KEPT,
    ) -> None:
        self.model, self.windows, self.skip_first = model, windows, skip_first
        self.seed, self.is_shuffled = seed, is_shuffled
        if not windows.counted(skip_first).any():
            raise InputError(
                f"the {len(windows)} windows have no visible token after the first "
                f"skip_first={skip_first}; use longer windows or a smaller skip_first"
            )
        self._numbers_per_window = (model.n_layers + 1) * windows.tokens.shape[1] * width_of(model)
        order = torch.from_numpy(stream(seed, "lens", "windows").permutation(len(windows)))
        per_shard = max(1, n_kept // self._numbers_per_window)
        self._shards = order.tensor_split(math.ceil(len(windows) / per_shard))
        self._kept: Tensor | None = None

    def __iter__(self) -> Iterator[Float[Tensor, "states tokens width"]]:
        """The shards; the last index of ``states`` is state L."""
        if self._kept is not None:
            yield self._kept
            return
        for number, rows in enumerate(self._shards):
            shard = self._states(rows, number)
            if len(self._shards) == 1:
                self._kept = shard
            if shard.shape[1]:
                yield shard

    def batches(
        self, n_tokens: int, rng: np.random.Generator
    ) -> Iterator[Float[Tensor, "states tokens width"]]:
        """Endless random batches; each pass over a shard uses every token at most once.

        Args:
            n_tokens: Tokens per batch; fewer if a shard has fewer.
            rng: Draws the order of the tokens.
        """
        while True:
            for shard in self:
                order = torch.from_numpy(rng.permutation(shard.shape[1])).to(shard.device)
                size = min(n_tokens, len(order))
                for first in range(0, len(order) - size + 1, size):
                    yield shard[:, order[first : first + size]]

    @torch.no_grad()
    def _states(self, rows: Tensor, number: int) -> Tensor:
        per_pass = max(1, _AT_ONCE // self._numbers_per_window)
        with frozen(self.model):
            parts = [self._read(part) for part in torch.split(rows, per_pass)]
        states = torch.cat(parts, dim=1)
        if self.is_shuffled:
            order = stream(self.seed, "lens", "shuffled", number).permutation(states.shape[1])
            states[:-1] = states[:-1, torch.from_numpy(order).to(states.device)]
        return states

    def _read(self, rows: Tensor) -> Tensor:
        part, device = self.windows.chosen(rows), self.model.device
        segments = None if part.segments is None else part.segments.to(device)
        states = self.model.residuals(part.tokens.to(device), segments=segments)
        return states[:, part.counted(self.skip_first).to(device)]
