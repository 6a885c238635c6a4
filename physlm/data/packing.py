"""Documents packed into training windows."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.corpus import Corpus, Packing
from physlm.data.left_alignment import left_aligned
from physlm.data.mixture import Mixture
from physlm.data.windows import IGNORED, START, Position, Windows, marks_targets, stored

# Large enough to render at full speed, small enough for memory.
_TOKENS_PER_BLOCK = 2**22
_N_SAMPLED = 1000  # documents from which lengths are estimated


def pack(
    corpus: Corpus, seq_len: int, start: Position = START, packing: Packing = Packing.continuous
) -> Iterator[Windows]:
    """All windows of training from ``start`` on, in blocks; windows never span epochs.

    Continuous windows end each epoch with an extra end-of-text, which closes its last document.

    Args:
        corpus: The corpus.
        seq_len: Tokens of a window, without the one that is only a target.
        start: The position to start from; everything before it was seen.
        packing: How documents become windows.

    Raises:
        ValueError: If left-aligned windows are to hold all parts of a mixture.
    """
    if not isinstance(corpus, Mixture):
        for epoch in range(start.epoch, corpus.n_epochs):
            yield from _pack_epoch(corpus, seq_len, start, packing)
            start = Position(epoch + 1)
    elif not corpus.is_in_windows:
        yield from _pack_whole_windows(corpus, seq_len, start, packing)
    elif packing is Packing.continuous:
        yield from _pack_in_windows(corpus, seq_len, start)
    else:
        raise ValueError("left-aligned windows hold documents of one part; use packing=continuous")


def _pack_epoch(
    corpus: Corpus, seq_len: int, start: Position, packing: Packing
) -> Iterator[Windows]:
    per_block = _documents_per_block(corpus)
    of_epoch = left_aligned if packing is Packing.left_aligned else _continuous
    return of_epoch(corpus, seq_len, start, per_block)


def _continuous(corpus: Corpus, seq_len: int, start: Position, per_block: int) -> Iterator[Windows]:
    """Windows of one epoch in which every token is a target exactly once."""
    tokens, starts = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    first, skip = start.document, start.token
    for block in range(start.document, corpus.n_documents, per_block):
        last = min(block + per_block, corpus.n_documents)
        documents = corpus.epoch(start.epoch, block, last)
        # `starts` counts from the first token that no window holds yet, which may be inside of
        # document `first`: its start is then negative, and `read - starts` its tokens read.
        starts = np.concatenate([starts, documents.starts[:-1] - skip + len(tokens)])
        tokens = np.concatenate([tokens, stored(documents)[skip:]])
        skip = 0
        is_last = last == corpus.n_documents
        if is_last:
            tokens = _close(tokens, _closing(corpus), seq_len)
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


def _pack_whole_windows(
    mixture: Mixture, seq_len: int, start: Position, packing: Packing
) -> Iterator[Windows]:
    """Windows of single parts, always of the part furthest behind its share.

    Ends with the first part.
    """
    cursors, counts = _cursors_and_counts(start, len(mixture.parts))
    others = [
        _one_by_one(_pack_endlessly(part, seq_len, Position.of(cursor.tolist()), packing))
        for part, cursor in zip(mixture.parts[1:], cursors[1:], strict=True)
    ]
    shares = np.array(mixture.shares)
    for block in pack(mixture.parts[0], seq_len, Position.of(cursors[0].tolist()), packing):
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


def _pack_endlessly(
    corpus: Corpus, seq_len: int, start: Position, packing: Packing
) -> Iterator[Windows]:
    for epoch in itertools.count(start.epoch):
        yield from _pack_epoch(corpus, seq_len, start, packing)
        start = Position(epoch + 1)


def _one_by_one(blocks: Iterator[Windows]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for block in blocks:
        yield from zip(block.tokens, block.ends, strict=True)


class _Document(NamedTuple):
    """A document of a mixture as `stored`, its part, and the `Position.numbers` before it."""

    tokens: Int32[np.ndarray, " tokens"]
    part: int
    before: Int64[np.ndarray, " numbers"]


def _pack_in_windows(mixture: Mixture, seq_len: int, start: Position) -> Iterator[Windows]:
    """Windows over documents of all parts; here windows span epochs."""
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
    closing = _close(np.empty(n_kept, dtype=np.int32), _closing(mixture), seq_len)[n_kept:]
    windows, _, _ = _cut([*kept, _Document(closing, 0, end)], skip, seq_len)
    if len(windows.tokens):
        windows.ends[-1] = end
        yield windows


def _merged(mixture: Mixture, cursors: np.ndarray, counts: np.ndarray) -> Iterator[_Document]:
    """Documents, always of the part whose tokens are furthest behind its share.

    Advances ``cursors`` and ``counts`` in place.
    """
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
    """Documents with their epoch and number; the last entry has no tokens and marks the end."""
    per_block = _documents_per_block(corpus)
    epochs = itertools.count(start.epoch) if is_endless else range(start.epoch, corpus.n_epochs)
    first = start.document
    for epoch in epochs:
        for block in range(first, corpus.n_documents, per_block):
            documents = corpus.epoch(epoch, block, min(block + per_block, corpus.n_documents))
            for i, tokens in enumerate(np.split(stored(documents), documents.starts[1:-1])):
                yield (epoch, block + i), tokens
        first = 0
    yield (corpus.n_epochs, 0), None


def _cut(
    documents: list[_Document], skip: int, seq_len: int
) -> tuple[Windows, list[_Document], int]:
    """All complete windows, the remaining documents, and the tokens read of the first of them."""
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
    """The epoch, document and token of each part, and its windows or tokens so far."""
    numbers = start.others or (0,) * (4 * n_parts - 3)
    cursors = (*start.numbers[:3], *numbers[: 3 * n_parts - 3])
    return np.array(cursors).reshape(n_parts, 3), np.array(numbers[3 * n_parts - 3 :])


def n_tokens(corpus: Corpus) -> float:
    """Estimated number of tokens of all documents of training, from the first ones."""
    n_first = min(_N_SAMPLED, corpus.n_documents)
    if not corpus.n_epochs or not corpus.n_documents:
        return 0
    per_document = len(corpus.epoch(0, 0, n_first).tokens) / n_first
    return per_document * _n_documents(corpus)


def n_tokens_in_windows(corpus: Corpus, seq_len: int, packing: Packing) -> float:
    """Estimated number of tokens of all windows of training, which may leave some out."""
    if packing is Packing.continuous or not corpus.n_epochs or not corpus.n_documents:
        return n_tokens(corpus)
    n_first = min(_N_SAMPLED, corpus.n_documents)
    part = corpus.parts[0] if isinstance(corpus, Mixture) else corpus
    windows = next(left_aligned(part, seq_len, START, n_first))
    seen = int(windows.ends[-1, 1]) or part.n_documents
    return seq_len * len(windows.tokens) / seen * _n_documents(corpus)


def _n_documents(corpus: Corpus) -> float:
    """Documents of training, of all parts of a mixture if their documents are equally long."""
    share = corpus.shares[0] if isinstance(corpus, Mixture) else 1.0
    return corpus.n_documents * corpus.n_epochs / share


def _documents_per_block(corpus: Corpus) -> int:
    """Documents of a block, estimated from the length of the first ones."""
    n_first = min(100, corpus.n_documents)
    return max(1, _TOKENS_PER_BLOCK * n_first // len(corpus.epoch(0, 0, n_first).tokens))


def _closing(corpus: Corpus) -> int:
    """The end-of-text after the last document; no target if only marked tokens are."""
    eos = corpus.vocabulary.eos
    return -2 - eos if marks_targets(corpus) else eos


def _close(tokens: Int32[np.ndarray, " tokens"], closing: int, seq_len: int) -> np.ndarray:
    """The remaining tokens of an epoch, its closing token, and padding to whole windows."""
    n_padding = -len(tokens) % seq_len
    ending = np.full(1 + n_padding, IGNORED, dtype=np.int32)
    ending[0] = closing
    return np.concatenate([tokens, ending])
