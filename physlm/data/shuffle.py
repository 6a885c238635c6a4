"""Random permutations with random access: any entry is computed without the others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from physlm.data.compilation import compiled
from physlm.data.splitmix import next_bits, stream_of

_N_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A pseudorandom permutation of 0 to ``n - 1``.

    Attributes:
        n: Length, up to 2**62.
        key: Chooses the permutation.

    Source:
        Black and Rogaway (2002), Ciphers with Arbitrary Finite Domains: a Feistel network on an
        even number of bits, applied until the value is below n (cycle walking).
    """

    n: int
    key: int

    def at(self, places: Int64[np.ndarray, " places"]) -> Int64[np.ndarray, " places"]:
        """The entries of the permutation at some places."""
        half = max(1, ((self.n - 1).bit_length() + 1) // 2)
        found: np.ndarray = _at(places, self.n, np.uint64(half), np.uint64(self.key))
        return found


@compiled
def _at(places, n, half, key):  # type: ignore[no-untyped-def]
    mask = (np.uint64(1) << half) - np.uint64(1)
    numbers = np.empty(len(places), dtype=np.int64)
    for i in range(len(places)):
        x = np.uint64(places[i])
        # A Feistel network permutes all 2^(2 half) values, at most 4n: following its cycle until a
        # value is below n takes at most 4 steps on average, and permutes the values below n.
        while True:
            left, right = x >> half, x & mask
            for turn in range(_N_ROUNDS):
                # Each round needs a key of its own.
                _, bits = next_bits(stream_of(key + np.uint64(turn), right))
                left, right = right, left ^ (bits & mask)
            x = (left << half) | right
            if x < np.uint64(n):
                break
        numbers[i] = x
    return numbers
