"""Draws in compiled code, from a stream whose state is an array of one number.

The state is kept in an array, so that functions that draw need not return it.
"""

import numpy as np

from physlm.data.compilation import compiled_within
from physlm.data.splitmix import below, next_bits, unit
from physlm.data.tasks.names import shuffle


@compiled_within
def draw(stream, bound):  # type: ignore[no-untyped-def]
    """An integer below ``bound``."""
    state, bits = next_bits(stream[0])
    stream[0] = state
    return below(bits, bound)


@compiled_within
def draw_unit(stream):  # type: ignore[no-untyped-def]
    """A number in [0, 1)."""
    state, bits = next_bits(stream[0])
    stream[0] = state
    return unit(bits)


@compiled_within
def draw_absolute_normal(stream):  # type: ignore[no-untyped-def]
    """The absolute value of a standard normal number.

    Source:
        Box and Muller (1958), A Note on the Generation of Random Normal Deviates.
    """
    radius = np.sqrt(-2 * np.log(1 - draw_unit(stream)))
    return abs(radius * np.cos(2 * np.pi * draw_unit(stream)))


@compiled_within
def draw_order(stream, items, n):  # type: ignore[no-untyped-def]
    """Shuffle the first ``n`` items in place."""
    stream[0] = shuffle(stream[0], items, n)


@compiled_within
def take(stream, items, n):  # type: ignore[no-untyped-def]
    """One of the first ``n`` items; the last of them takes its place."""
    i = draw(stream, n)
    taken = items[i]
    items[i] = items[n - 1]
    return taken
