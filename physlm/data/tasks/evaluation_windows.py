"""Windows for measuring marked answers, packed as the left-aligned windows of training."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.corpus import Documents
from physlm.data.left_alignment import first_documents
from physlm.data.tasks.synthetic_task import SyntheticTask


class EvaluationWindows(NamedTuple):
    """Windows of whole documents and a last one that is cut, with their complete answers.

    Attributes:
        tokens: Token ids.
        rows: The window of each answer.
        firsts: Position of the answer's first token in its window.
        lasts: Position after its last token.
        documents: Number of its document; answers of one document are not independent.
    """

    tokens: Int32[np.ndarray, "windows seq_1"]
    rows: Int64[np.ndarray, " answers"]
    firsts: Int64[np.ndarray, " answers"]
    lasts: Int64[np.ndarray, " answers"]
    documents: Int64[np.ndarray, " answers"]


def evaluation_windows(
    task: SyntheticTask, draw: Callable[[int], Documents], seq_len: int, n_answers: int
) -> EvaluationWindows:
    """The first windows that hold ``n_answers`` whole answers, or a few more.

    Args:
        task: The task.
        draw: Returns the first documents of a stream, as many as asked for.
        seq_len: Tokens of a window, without the one that is only a target.
        n_answers: Number of answers.
    """
    n_documents = 16
    while True:
        found = _windows(task, draw(n_documents), seq_len + 1)
        if len(found.rows) >= n_answers:
            last = int(found.rows[n_answers - 1])
            is_kept = found.rows <= last
            return EvaluationWindows(found.tokens[: last + 1], *(x[is_kept] for x in found[1:]))
        n_documents *= 2


def _windows(task: SyntheticTask, documents: Documents, width: int) -> EvaluationWindows:
    tokens, starts = documents.tokens, documents.starts
    begins = starts[first_documents(starts[:-1], width, len(tokens))[:-1]]
    is_answer = np.pad(task.is_answer(tokens), 1).astype(np.int8)
    edges = np.diff(is_answer)
    firsts, lasts = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(begins):
        nothing = np.empty(0, dtype=np.int64)
        return EvaluationWindows(np.empty((0, width), np.int32), *[nothing] * 4)
    rows = np.searchsorted(begins, firsts, side="right") - 1
    is_whole = lasts <= begins[rows] + width
    rows, firsts, lasts = rows[is_whole], firsts[is_whole], lasts[is_whole]
    return EvaluationWindows(
        np.lib.stride_tricks.sliding_window_view(tokens, width)[begins],
        rows,
        firsts - begins[rows],
        lasts - begins[rows],
        np.searchsorted(starts, firsts, side="right") - 1,
    )
