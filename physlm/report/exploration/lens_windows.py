"""Windows of documents to fit a lens on, without the analysed text."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int

from physlm.analysis.lenses.state_pool import Windows
from physlm.eval.padding import padded


def windows_of(rows: Sequence[Int[np.ndarray, " _tokens"]], longest: int | None) -> Windows:
    """Documents as windows, one or more each.

    Args:
        rows: Token ids of each document, of which there is at least one.
        longest: Tokens of the longest window, into which longer documents are cut; None for any.
    """
    parts = [row[i : i + (longest or len(row))] for row in rows for i in _starts(row, longest)]
    tokens, lengths = padded(parts)
    return Windows(tokens, torch.arange(tokens.shape[1]) < lengths[:, None])


def begins_alike(row: Int[np.ndarray, " tokens"], analysed: Sequence[int]) -> bool:
    """Whether a document begins with the analysed text, or the text with the document."""
    n = min(len(row), len(analysed))
    return bool(row[:n].tolist() == list(analysed[:n]))


def _starts(row: Int[np.ndarray, " tokens"], longest: int | None) -> range:
    return range(0, len(row), longest or max(1, len(row)))
