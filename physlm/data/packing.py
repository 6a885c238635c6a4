"""Documents packed into training windows: nothing lost, nothing twice."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.corpus import Corpus
from physlm.data.mixture import Mixture

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
        others: Of a mixture: the same three numbers of every other part, and then how many windows
            each part has had, or how many tokens of finished documents.
    """

    epoch: int = 0
    document: int = 0
    token: int = 0
    others: tuple[int, ...] = ()

    @classmethod
    def of(cls, numbers: Sequence[int]) -> "Position":
        """The position that has these `numbers`."""
        epoch, document, token, *others = numbers
        return cls(epoch, document, token, tuple(others))

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of it, for files."""
        return (self.epoch, self.document, self.token, *self.others)

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
        ends: Numbers of the position after each window.
    """

    tokens: Int32[np.ndarray, "windows seq_1"]
    ends: Int64[np.ndarray, "windows numbers"]


def pack(corpus: Corpus, seq_len: int, start: Position = Position()) -> Iterator[Windows]:
    """All windows of training from ``start`` on, block by block; windows never span epochs.

    Each epoch ends with one more end-of-text, the target that closes its last document.
    """
    if isinstance(corpus, Mixture):
        packed = _pack_in_windows if corpus.is_in_windows else _pack_whole_windows
        yield from packed(corpus, seq_len, start)
        return
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
        yield _windows(tokens, seq_len, n_windows, ends)
        tokens, starts, first = tokens[read[-1] :], starts[at[-1] :] - read[-1], first + at[-1]


def _pack_whole_windows(mixture: Mixture, seq_len: int, start: Position) -> Iterator[Windows]:
    """Windows of the part that is furthest behind its share, until the first part is over."""
    cursors, counts = _cursors_and_counts(start, len(mixture.parts))
    others = [
        _one_by_one(_pack_endlessly(part, seq_len, Position.of(cursor.tolist())))
        for part, cursor in zip(mixture.parts[1:], cursors[1:], strict=True)
    ]
    shares = np.array(mixture.shares)
    for block in pack(mixture.parts[0], seq_len, Position.of(cursors[0].tolist())):
        tokens, ends = [], []
        for window, end in zip(block.tokens, block.ends, strict=True):
            while (part := int((shares * (counts.sum() + 1) - counts).argmax())) > 0:
                other, cursors[part] = next(others[part - 1])
                counts[part] += 1
                tokens.append(other)
                ends.append(np.concatenate([cursors.ravel(), counts]))
            cursors[0] = end
            counts[0] += 1
            tokens.append(window)
            ends.append(np.concatenate([cursors.ravel(), counts]))
        yield Windows(np.stack(tokens), np.stack(ends))


def _pack_endlessly(corpus: Corpus, seq_len: int, start: Position) -> Iterator[Windows]:
    for epoch in itertools.count(start.epoch):
        yield from _pack_epoch(corpus, seq_len, start)
        start = Position(epoch + 1)


def _one_by_one(blocks: Iterator[Windows]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for block in blocks:
        yield from zip(block.tokens, block.ends, strict=True)


class _Document(NamedTuple):
    """A document of a mixture; the tokens of which part, and the position's numbers before it."""

    tokens: Int32[np.ndarray, " tokens"]
    part: int
    before: Int64[np.ndarray, " numbers"]


def _pack_in_windows(mixture: Mixture, seq_len: int, start: Position) -> Iterator[Windows]:
    """Windows over documents of all parts, which span epochs."""
    cursors, counts = _cursors_and_counts(start, len(mixture.parts))
    skip = int(cursors[:, 2].max())
    kept: list[_Document] = []
    n_kept = -skip
    for document in _merged(mixture, cursors, counts):
        kept.append(document)
        n_kept += len(document.tokens)
        if n_kept > max(_TOKENS_PER_BLOCK, seq_len):
            windows, kept, skip = _cut(kept, skip, seq_len)
            yield windows
            n_kept = sum(len(document.tokens) for document in kept) - skip
    end = np.concatenate([cursors.ravel(), counts])
    closing = _close(np.empty(n_kept, dtype=np.int32), mixture.vocabulary.eos, seq_len)[n_kept:]
    windows, _, _ = _cut([*kept, _Document(closing, 0, end)], skip, seq_len)
    if len(windows.tokens):
        windows.ends[-1] = end
        yield windows


def _merged(mixture: Mixture, cursors: np.ndarray, counts: np.ndarray) -> Iterator[_Document]:
    """Each next document of the part whose tokens are furthest behind their share; moves both."""
    shares = np.array(mixture.shares)
    readers = [
        _documents(part, Position.of(cursor.tolist()), is_endless=i > 0)
        for i, (part, cursor) in enumerate(zip(mixture.parts, cursors, strict=True))
    ]
    nexts = [next(reader) for reader in readers]
    cursors[:, 2] = 0
    while True:
        part = int((shares * counts.sum() - counts).argmax())
        _, tokens = nexts[part]
        if tokens is None:
            return
        yield _Document(tokens, part, np.concatenate([cursors.ravel(), counts]))
        counts[part] += len(tokens)
        nexts[part] = next(readers[part])
        cursors[part, :2] = nexts[part][0]


def _documents(
    corpus: Corpus, start: Position, *, is_endless: bool
) -> Iterator[tuple[tuple[int, int], Int32[np.ndarray, " tokens"] | None]]:
    """Documents with their epoch and number; without tokens, what comes after the last one."""
    per_block = _documents_per_block(corpus)
    epochs = itertools.count(start.epoch) if is_endless else range(start.epoch, corpus.n_epochs)
    first = start.document
    for epoch in epochs:
        for block in range(first, corpus.n_documents, per_block):
            documents = corpus.epoch(epoch, block, min(block + per_block, corpus.n_documents))
            for i, tokens in enumerate(np.split(documents.tokens, documents.starts[1:-1])):
                yield (epoch, block + i), tokens
        first = 0
    yield (corpus.n_epochs, 0), None


def _cut(
    documents: list[_Document], skip: int, seq_len: int
) -> tuple[Windows, list[_Document], int]:
    """All whole windows, what is left of the documents, and how much of its first is read."""
    tokens = np.concatenate([document.tokens for document in documents])[skip:]
    lengths = [len(document.tokens) for document in documents]
    starts = np.cumsum([0, *lengths[:-1]]) - skip
    n_windows = (len(tokens) - 1) // seq_len
    read = np.arange(1, n_windows + 1) * seq_len
    at = np.searchsorted(starts, read, side="right") - 1
    ends = np.array([documents[i].before for i in at.tolist()], dtype=np.int64)
    ends = ends.reshape(n_windows, len(documents[0].before))
    parts = np.array([documents[i].part for i in at.tolist()], dtype=np.int64)
    ends[np.arange(n_windows), 3 * parts + 2] = read - starts[at]
    last = int(at[-1]) if n_windows else 0
    skip = int(read[-1] - starts[last]) if n_windows else skip
    return _windows(tokens, seq_len, n_windows, ends), documents[last:], skip


def _windows(tokens: np.ndarray, seq_len: int, n_windows: int, ends: np.ndarray) -> Windows:
    if n_windows == 0:
        return Windows(np.empty((0, seq_len + 1), dtype=np.int32), ends)
    strides = np.lib.stride_tricks.sliding_window_view(tokens, seq_len + 1)
    return Windows(strides[::seq_len][:n_windows], ends)


def _cursors_and_counts(start: Position, n_parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each part where it stands, and how many windows or tokens it has had."""
    numbers = start.others or (0,) * (4 * n_parts - 3)
    cursors = (*start.numbers[:3], *numbers[: 3 * n_parts - 3])
    return np.array(cursors).reshape(n_parts, 3), np.array(numbers[3 * n_parts - 3 :])


def n_tokens(corpus: Corpus) -> float:
    """About how many tokens the whole of training has, from the first documents."""
    n_first = min(1000, corpus.n_documents)
    per_document = len(corpus.epoch(0, 0, n_first).tokens) / n_first
    share = corpus.shares[0] if isinstance(corpus, Mixture) else 1.0
    return per_document * corpus.n_documents * corpus.n_epochs / share


def _documents_per_block(corpus: Corpus) -> int:
    """As many as a block's tokens make, by the length of the first document."""
    return max(1, _TOKENS_PER_BLOCK // len(corpus.epoch(0, 0, 1).tokens))


def _close(tokens: Int32[np.ndarray, " tokens"], eos: int, seq_len: int) -> np.ndarray:
    """The epoch's remaining tokens, end-of-text, and padding up to whole windows."""
    n_padding = -len(tokens) % seq_len
    ending = np.full(1 + n_padding, IGNORED, dtype=np.int32)
    ending[0] = eos
    return np.concatenate([tokens, ending])
