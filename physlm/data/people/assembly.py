"""Documents assembled by copying tokenised pieces, in compiled code."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.compilation import compiled
from physlm.data.corpus import Documents
from physlm.data.tokens import Pieces


@dataclass(frozen=True, slots=True)
class Assembled(Documents):
    """Documents, each assembled from one row of pieces.

    Attributes:
        offsets: Token position of each piece of the row, counted from the document's end-of-text
            (position 0); the last entry is the document's length.
    """

    offsets: Int32[np.ndarray, "documents pieces_1"]

    def spans(
        self, first: Int64[np.ndarray, "documents *items"], last: Int64[np.ndarray, "..."]
    ) -> Int32[np.ndarray, "documents *items 2"]:
        """Token spans, end exclusive, of the pieces ``first`` to ``last - 1`` of each document."""
        columns = np.stack([first, last], axis=-1).reshape(len(self), -1)
        found = np.take_along_axis(self.offsets, columns, axis=1)
        return found.reshape(*first.shape, 2)


def assemble(rows: Int32[np.ndarray, "documents pieces"], pieces: Pieces, eos: int) -> Assembled:
    """One document for each row of piece numbers, after an end-of-text; -1 stands for no piece."""
    return Assembled(*_assemble(rows, pieces.tokens, pieces.starts, np.int32(eos)))


@compiled
def _assemble(rows, piece_tokens, piece_starts, eos):  # type: ignore[no-untyped-def]
    n_documents, n_pieces = rows.shape
    starts = np.empty(n_documents + 1, dtype=np.int64)
    offsets = np.empty((n_documents, n_pieces + 1), dtype=np.int32)
    starts[0] = 0
    # Two passes: lengths first, so that the tokens of all documents are allocated once and written
    # in place. Offsets are kept for empty pieces too, so that columns mean the same in every row.
    for i in range(n_documents):
        length = 1
        for j in range(n_pieces):
            offsets[i, j] = length
            if rows[i, j] >= 0:
                length += piece_starts[rows[i, j] + 1] - piece_starts[rows[i, j]]
        offsets[i, n_pieces] = length
        starts[i + 1] = starts[i] + length
    tokens = np.empty(starts[-1], dtype=np.int32)
    for i in range(n_documents):
        position = starts[i]
        tokens[position] = eos
        for j in range(n_pieces):
            if rows[i, j] >= 0:
                for source in range(piece_starts[rows[i, j]], piece_starts[rows[i, j] + 1]):
                    position += 1
                    tokens[position] = piece_tokens[source]
    return tokens, starts, offsets
