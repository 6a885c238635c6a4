"""Documents packed into training windows: nothing lost, nothing twice."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.corpus import Corpus

IGNORED = -1  # a target that is no token: what fills an epoch's last window

# Large enough to render at full speed, small in memory.
_TOKENS_PER_BLOCK = 2**22


@dataclass(frozen=True, slots=True)
class Position:
    """How far training has read: everything before it was seen, nothing after.

    Attributes:
        epoch: Epochs finished.
        document: Documents finished in the present epoch.
        token: Tokens read of the present document.
    """

    epoch: int = 0
    document: int = 0
    token: int = 0

    def exposures(self, n_documents: int) -> float:
        """Presentations of each piece of knowledge so far, counted in finished documents."""
        return self.epoch + self.document / n_documents


@dataclass(frozen=True, slots=True)
class Windows:
    """Consecutive windows of one epoch.

    A window holds ``seq_len + 1`` tokens: its first ``seq_len`` are inputs, its last ``seq_len``
    targets, so neighbours share one token and every token of the stream is a target once.

    Attributes:
        tokens: Token ids, `IGNORED` after the epoch's end.
        ends: Position after each window, as (epoch, document, token).
    """

    tokens: Int32[np.ndarray, "windows seq_1"]
    ends: Int64[np.ndarray, "windows 3"]


def pack(corpus: Corpus, seq_len: int, start: Position = Position()) -> Iterator[Windows]:
    """All windows of training from ``start`` on, block by block; windows never span epochs.

    Each epoch ends with one more end-of-text, the target that closes its last document.
    """
    for epoch in range(start.epoch, corpus.n_epochs):
        yield from _pack_epoch(corpus, seq_len, start)
        start = Position(epoch + 1)


def _pack_epoch(corpus: Corpus, seq_len: int, start: Position) -> Iterator[Windows]:
    tokens, starts = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    first, skip = start.document, start.token
    per_block = _documents_per_block(corpus)
    for block in range(start.document, corpus.n_documents, per_block):
        last = min(block + per_block, corpus.n_documents)
        documents = corpus.epoch(start.epoch, block, last)
        starts = np.concatenate([starts, documents.starts[:-1] - skip + len(tokens)])
        tokens = np.concatenate([tokens, documents.tokens[skip:]])
        skip = 0
        is_last = last == corpus.n_documents
        if is_last:
            tokens = _close(tokens, corpus.vocabulary.eos, seq_len)
        n_windows = (len(tokens) - 1) // seq_len
        if n_windows == 0:
            continue
        read = np.arange(1, n_windows + 1) * seq_len
        at = np.searchsorted(starts, read, side="right") - 1
        ends = np.stack([np.full(n_windows, start.epoch), first + at, read - starts[at]], axis=1)
        if is_last:
            ends[-1] = (start.epoch + 1, 0, 0)
        strides = np.lib.stride_tricks.sliding_window_view(tokens, seq_len + 1)
        yield Windows(strides[::seq_len][:n_windows], ends)
        tokens, starts, first = tokens[read[-1] :], starts[at[-1] :] - read[-1], first + at[-1]


def _documents_per_block(corpus: Corpus) -> int:
    """As many as a block's tokens make, by the length of the first document."""
    return max(1, _TOKENS_PER_BLOCK // len(corpus.epoch(0, 0, 1).tokens))


def _close(tokens: Int32[np.ndarray, " tokens"], eos: int, seq_len: int) -> np.ndarray:
    """The epoch's remaining tokens, end-of-text, and padding up to whole windows."""
    n_padding = -len(tokens) % seq_len
    ending = np.full(1 + n_padding, IGNORED, dtype=np.int32)
    ending[0] = eos
    return np.concatenate([tokens, ending])
