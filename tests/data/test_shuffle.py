"""Shuffles computed entry by entry are permutations, and uniform."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from physlm.data.shuffle import Shuffle


@given(st.integers(1, 4097), st.integers(0, 2**64 - 1))
def test_every_number_occurs_once(n, key):
    assert sorted(Shuffle(n, key).at(np.arange(n)).tolist()) == list(range(n))


@given(st.integers(1, 2**62), st.integers(0, 2**64 - 1), st.data())
def test_entries_of_the_largest_shuffles_are_distinct_and_below_n(n, key, data):
    places = data.draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1, max_size=20))
    found = Shuffle(n, key).at(np.array(places)).tolist()
    assert len(set(found)) == len(places)
    assert all(0 <= number < n for number in found)


def test_an_entry_does_not_depend_on_which_others_are_computed():
    shuffle = Shuffle(160_000_000, key=3)
    whole = shuffle.at(np.arange(5000))
    assert np.array_equal(shuffle.at(np.arange(4000, 4010)), whole[4000:4010])
    assert len(set(whole.tolist())) == 5000
    assert whole.max() < 160_000_000


def test_different_keys_give_different_orders():
    places = np.arange(1000)
    assert not np.array_equal(Shuffle(1000, 1).at(places), Shuffle(1000, 2).at(places))


def test_all_orders_of_four_are_equally_likely():
    orders = [tuple(Shuffle(4, key).at(np.arange(4)).tolist()) for key in range(6000)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-4


def test_the_first_entries_of_a_large_shuffle_are_uniform():
    drawn = Shuffle(10**9, key=5).at(np.arange(20_000))
    counts, _ = np.histogram(drawn, bins=50, range=(0, 10**9))
    assert stats.chisquare(counts).pvalue > 1e-4
