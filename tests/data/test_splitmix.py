"""Random numbers of compiled code, compared with the published generator in Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from physlm.data.compilation import compiled
from physlm.data.splitmix import below, next_bits, stream_of, unit

WORDS = st.integers(0, 2**64 - 1)


@compiled
def drawn(key, number, n):
    bits = np.empty(n, dtype=np.uint64)
    state = stream_of(key, number)
    for i in range(n):
        state, bits[i] = next_bits(state)
    return bits


@compiled
def ranged(bits, bound):
    return below(bits, bound), unit(bits)


def published(state, n):
    """Steele, Lea and Flood (2014), figure 17, with Python's integers."""
    bits = []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        bits.append(z ^ (z >> 31))
    return bits


@given(WORDS, st.integers(0, 2**62))
def test_a_stream_is_the_published_generator_from_a_first_state_of_its_number(key, number):
    (first_state,) = published(key ^ (number * 0xBF58476D1CE4E5B9 % 2**64), 1)
    assert drawn(np.uint64(key), number, 5).tolist() == published(first_state, 5)


@given(WORDS, st.integers(1, 2**20))
def test_numbers_drawn_from_bits_are_in_their_range(bits, bound):
    number, fraction = ranged(np.uint64(bits), bound)
    assert 0 <= number < bound
    assert 0 <= fraction < 1
    assert abs(number / bound - fraction) < 1e-5 + 1 / bound


@given(WORDS)
def test_numbers_and_streams_are_uniform(key):
    first = [drawn(np.uint64(key), number, 1)[0] / 2**64 for number in range(500)]
    later = drawn(np.uint64(key), 0, 500) / 2**64
    assert min(stats.kstest(first, "uniform").pvalue, stats.kstest(later, "uniform").pvalue) > 1e-6
