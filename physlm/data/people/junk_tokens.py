"""Documents without information: tokens redrawn at random, or shuffled."""

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.compilation import compiled
from physlm.data.splitmix import below, next_bits, stream_of


def redrawn(
    tokens: Int32[np.ndarray, " tokens"],
    starts: Int64[np.ndarray, " documents_1"],
    numbers: Int64[np.ndarray, " documents"],
    *,
    key: int,
    n_choices: int,
) -> Int32[np.ndarray, " tokens"]:
    """Documents of the same lengths, with tokens uniform below ``n_choices``.

    Args:
        tokens: Each document begins with end-of-text, which stays.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
        numbers: Number of each document; key and number choose its random stream.
        key: Key of the random streams of all documents.
        n_choices: Number of tokens to choose from.
    """
    drawn: np.ndarray = _redrawn(tokens, starts, numbers, np.uint64(key), n_choices)
    return drawn


def reordered(
    tokens: Int32[np.ndarray, " tokens"],
    starts: Int64[np.ndarray, " documents_1"],
    numbers: Int64[np.ndarray, " documents"],
    *,
    key: int,
) -> Int32[np.ndarray, " tokens"]:
    """Documents with their tokens in a random order.

    Args:
        tokens: Each document begins with end-of-text, which stays.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
        numbers: Number of each document; key and number choose its random stream.
        key: Key of the random streams of all documents.
    """
    shuffled: np.ndarray = _reordered(tokens, starts, numbers, np.uint64(key))
    return shuffled


@compiled
def _redrawn(tokens, starts, numbers, key, n_choices):  # type: ignore[no-untyped-def]
    drawn = tokens.copy()
    for i in range(len(numbers)):
        # One stream per document number: any part of an epoch has the same tokens as the whole.
        state = stream_of(key, numbers[i])
        for j in range(starts[i] + 1, starts[i + 1]):
            state, bits = next_bits(state)
            drawn[j] = below(bits, n_choices)
    return drawn


@compiled
def _reordered(tokens, starts, numbers, key):  # type: ignore[no-untyped-def]
    shuffled = tokens.copy()
    for i in range(len(numbers)):
        # Fisher-Yates over all tokens behind the end-of-text.
        state = stream_of(key, numbers[i])
        first = starts[i] + 1
        for j in range(starts[i + 1] - 1, first, -1):
            state, bits = next_bits(state)
            k = first + below(bits, j - first + 1)
            shuffled[j], shuffled[k] = shuffled[k], shuffled[j]
    return shuffled
