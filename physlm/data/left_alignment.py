"""Left-aligned windows: each begins with a new document, and its last document is cut."""

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np

from physlm.data.corpus import Corpus
from physlm.data.windows import IGNORED, Position, Windows, stored


def left_aligned(
    corpus: Corpus, seq_len: int, start: Position, per_block: int
) -> Iterator[Windows]:
    """Left-aligned windows of one epoch, in blocks; they do not overlap.

    The last window is padded.

    Args:
        corpus: The corpus.
        seq_len: Tokens of a window, without the one that is only a target.
        start: Where to start, at the beginning of a document.
        per_block: Documents that are rendered at once.
    """
    width, first = seq_len + 1, start.document
    tokens, starts = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    for block in range(start.document, corpus.n_documents, per_block):
        last = min(block + per_block, corpus.n_documents)
        documents = corpus.epoch(start.epoch, block, last)
        starts = np.concatenate([starts, documents.starts[:-1] + len(tokens)])
        tokens = np.concatenate([tokens, stored(documents)])
        is_last = last == corpus.n_documents
        if is_last:
            tokens = np.append(tokens, np.full(seq_len, IGNORED, dtype=np.int32))
        begins = first_documents(starts, width, len(tokens))
        ends = np.zeros((len(begins) - 1, 3), dtype=np.int64)
        ends[:, 0], ends[:, 1] = start.epoch, first + begins[1:]
        if is_last:
            ends[-1] = (start.epoch + 1, 0, 0)
        if len(ends):
            rows = np.lib.stride_tricks.sliding_window_view(tokens, width)
            yield Windows(rows[starts[begins[:-1]]], ends)
        done = int(begins[-1])
        kept = int(starts[done]) if done < len(starts) else len(tokens)
        tokens, starts, first = tokens[kept:], starts[done:] - kept, first + done


def first_documents(starts: np.ndarray, width: int, n_tokens: int) -> np.ndarray:
    """Numbers of the documents with which windows begin, and of the first one after all of them.

    Args:
        starts: Where each document begins.
        width: Tokens of a window.
        n_tokens: Tokens of all documents; a window ends within them.
    """
    places = starts.tolist()
    begins = [0]
    while begins[-1] < len(places) and places[begins[-1]] + width <= n_tokens:
        begins.append(bisect_left(places, places[begins[-1]] + width, begins[-1]))
    return np.array(begins)
