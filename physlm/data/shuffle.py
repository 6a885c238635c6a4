"""The numbers below n in a random order, any of them found without drawing the others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from physlm.data.compilation import compiled
from physlm.data.splitmix import next_bits, stream_of

_N_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A permutation of the numbers from 0 to ``n - 1``, decided by a key.

    Attributes:
        n: How many numbers there are, up to 2**62.
        key: Which permutation it is.

    Source:
        Black and Rogaway (2002), Ciphers with Arbitrary Finite Domains: a Feistel network on the
        next even number of bits, repeated until it stays below n.
    """

    n: int
    key: int

    def at(self, places: Int64[np.ndarray, " places"]) -> Int64[np.ndarray, " places"]:
        """Which number stands at each place."""
        half = max(1, ((self.n - 1).bit_length() + 1) // 2)
        found: np.ndarray = _at(places, self.n, np.uint64(half), np.uint64(self.key))
        return found


@compiled
def _at(places, n, half, key):  # type: ignore[no-untyped-def]
    mask = (np.uint64(1) << half) - np.uint64(1)
    numbers = np.empty(len(places), dtype=np.int64)
    for i in range(len(places)):
        x = np.uint64(places[i])
        while True:
            left, right = x >> half, x & mask
            for turn in range(_N_ROUNDS):
                _, bits = next_bits(stream_of(key + np.uint64(turn), right))
                left, right = right, left ^ (bits & mask)
            x = (left << half) | right
            if x < np.uint64(n):
                break
        numbers[i] = x
    return numbers
