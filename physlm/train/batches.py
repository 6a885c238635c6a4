"""Windows grouped into optimizer steps, and steps into chunks, rendered ahead of training."""

import queue
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from physlm.data.corpus import Corpus, Packing
from physlm.data.packing import n_tokens_in_windows, pack
from physlm.data.windows import IGNORED, Position, Windows


class Chunk(NamedTuple):
    """Consecutive optimizer steps whose data move to the device at once.

    Attributes:
        windows: Tokens of each step; in a distributed run only this rank's.
        n_targets: Tokens predicted in each step, over all ranks; 1 if there are none.
        n_tokens: Tokens read in each step, predicted or not, over all ranks.
        progress: Fraction of all documents seen before each step.
        end: Position after the last step, as numbers.
        rendered_seconds: Time that the background thread took to render it.
        waited_seconds: Time that training waited for it.
    """

    windows: Int[Tensor, "steps batch seq_1"]
    n_targets: list[int]
    n_tokens: list[int]
    progress: list[float]
    end: tuple[int, ...]
    rendered_seconds: float = 0.0
    waited_seconds: float = 0.0


_Item = Chunk | BaseException | None


@dataclass(frozen=True, slots=True)
class Batches:
    """The chunks of training from a position on.

    Iterating twice gives the same chunks; `starting_at` gives those of a resumed run.
    """

    corpus: Corpus
    seq_len: int
    batch_size: int
    steps_per_chunk: int = 1
    rank: int = 0
    n_ranks: int = 1
    packing: Packing = Packing.continuous
    start: Position = field(default_factory=Position)

    def starting_at(self, start: Position) -> "Batches":
        """The same training, from a later position."""
        return replace(self, start=start)

    def shared(self, rank: int, n_ranks: int) -> "Batches":
        """The same training, restricted to one of several ranks."""
        return replace(self, rank=rank, n_ranks=n_ranks)

    def __iter__(self) -> Generator[Chunk, None, None]:
        return _ahead(self._chunks(), depth=2)

    def _chunks(self) -> Iterator[Chunk]:
        """Chunks may span epochs; the very last step is padded with ignored windows."""
        kept: list[Windows] = []
        before = self.start
        wanted = self.batch_size * self.steps_per_chunk
        for block in pack(self.corpus, self.seq_len, self.start, self.packing):
            kept.append(block)
            while sum(len(windows.tokens) for windows in kept) >= wanted:
                taken, kept = _take(kept, wanted)
                yield self._chunk(taken, before)
                before = Position.of(taken.ends[-1].tolist())
        if kept:
            yield self._chunk(_take(kept, wanted)[0], before)

    def _chunk(self, taken: Windows, before: Position) -> Chunk:
        n_missing = -len(taken.tokens) % self.batch_size
        tokens = np.pad(taken.tokens, ((0, n_missing), (0, 0)), constant_values=IGNORED)
        steps = tokens.reshape(-1, self.batch_size, self.seq_len + 1)
        ends = taken.ends[self.batch_size - 1 :: self.batch_size].tolist()
        starts = [before, *(Position.of(end) for end in ends)]
        # Sums of losses are divided by it, and a step may hold no marked token.
        n_targets = (steps[..., 1:] >= 0).sum(axis=(1, 2)).clip(min=1)
        return Chunk(
            windows=torch.from_numpy(np.ascontiguousarray(steps[:, self.rank :: self.n_ranks])),
            n_targets=n_targets.tolist(),
            n_tokens=(steps[..., 1:] != IGNORED).sum(axis=(1, 2)).tolist(),
            progress=[self.progress(start) for start in starts[: len(steps)]],
            end=tuple(taken.ends[-1].tolist()),
        )

    def n_tokens(self) -> float:
        """Approximate number of tokens of the whole training."""
        return n_tokens_in_windows(self.corpus, self.seq_len, self.packing)

    def progress(self, position: Position) -> float:
        """Fraction of all documents of training before a position."""
        n_seen = position.epoch * self.corpus.n_documents + position.document
        return n_seen / (self.corpus.n_epochs * self.corpus.n_documents)


def _take(kept: list[Windows], n: int) -> tuple[Windows, list[Windows]]:
    """The first ``n`` windows, or all, and the rest, which is not copied."""
    taken: list[Windows] = []
    rest: list[Windows] = []
    for windows in kept:
        if n:
            taken.append(Windows(windows.tokens[:n], windows.ends[:n]))
        if n < len(windows.tokens):
            rest.append(Windows(windows.tokens[n:], windows.ends[n:]))
        n = max(0, n - len(windows.tokens))
    tokens = np.concatenate([windows.tokens for windows in taken])
    return Windows(tokens, np.concatenate([windows.ends for windows in taken])), rest


def _ahead(chunks: Iterator[Chunk], depth: int) -> Generator[Chunk, None, None]:
    """Render in a background thread, at most ``depth`` chunks ahead; its errors are raised here."""
    ready: queue.Queue[_Item] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def render() -> None:
        try:
            began = time.perf_counter()
            for chunk in chunks:
                seconds = time.perf_counter() - began
                if not _put(ready, chunk._replace(rendered_seconds=seconds), stop):
                    return
                began = time.perf_counter()
            _put(ready, None, stop)
        except BaseException as error:  # noqa: BLE001 - raised again by the consumer
            _put(ready, error, stop)

    thread = threading.Thread(target=render, name="batches", daemon=True)
    thread.start()
    try:
        began = time.perf_counter()
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item._replace(waited_seconds=time.perf_counter() - began)
            began = time.perf_counter()
    finally:
        stop.set()
        thread.join()


def _put(ready: "queue.Queue[_Item]", item: _Item, stop: threading.Event) -> bool:
    """Wait for room, unless the consumer has stopped; returns whether the item was delivered."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
