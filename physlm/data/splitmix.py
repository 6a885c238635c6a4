"""Random numbers in compiled code: one splitmix64 stream for each (key, number).

Source:
    Steele, Lea and Flood (2014), Fast Splittable Pseudorandom Number Generators.
"""

import numpy as np

from physlm.data.compilation import compiled, inlined

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


# All arithmetic is on np.uint64: Numba turns uint64 with an int64 into float64, which loses bits.


@inlined
def next_bits(state):  # type: ignore[no-untyped-def]
    """The new state and 64 random bits."""
    state += _GOLDEN
    z = (state ^ (state >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return state, z ^ (z >> np.uint64(31))


@inlined
def stream_of(key, number):  # type: ignore[no-untyped-def]
    """The first state of a numbered stream; streams of different numbers are independent."""
    # The number is mixed before it meets the key, and the result once more: states that differ by
    # a multiple of the golden ratio would be the same stream, shifted.
    _, state = next_bits(key ^ (np.uint64(number) * _MIX_1))
    return state


@inlined
def below(bits, bound):  # type: ignore[no-untyped-def]
    """An integer below ``bound`` from 64 random bits; bounds must be far below 2**32."""
    # Multiply and shift instead of a remainder: no division, and a bias of at most bound / 2^32.
    return np.int64(((bits >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32))


@inlined
def unit(bits):  # type: ignore[no-untyped-def]
    """A number in [0, 1) from the upper 53 of 64 random bits, as many as a float64 holds."""
    return np.float64(bits >> np.uint64(11)) * 2.0**-53


@compiled
def choices_of(key, numbers, bounds):  # type: ignore[no-untyped-def]
    """An integer below each of the bounds, from each of the numbered streams."""
    chosen = np.empty((len(numbers), len(bounds)), dtype=np.int64)
    for i in range(len(numbers)):
        state = stream_of(key, numbers[i])
        for j in range(len(bounds)):
            state, bits = next_bits(state)
            chosen[i, j] = below(bits, bounds[j])
    return chosen


@compiled
def uniform_of(key, first, last):  # type: ignore[no-untyped-def]
    """The first number in [0, 1) of each of the streams ``first`` to ``last - 1``."""
    numbers = np.empty(last - first)
    for i in range(last - first):
        _, bits = next_bits(stream_of(key, first + i))
        numbers[i] = unit(bits)
    return numbers
