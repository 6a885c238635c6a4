"""Bracket words with pairs of brackets swapped: the same brackets in another order."""

from enum import Enum

import numpy as np
from jaxtyping import Bool, Int32

Words = Int32[np.ndarray, "texts brackets"]


class Swap(str, Enum):
    """Which brackets change places.

    ``swap``: an opening and a closing one. ``types``: two opening or two closing ones of different
    types, so that only the types change.
    """

    swap = "swap"
    types = "types"


SWAPS = tuple(swap.value for swap in Swap)


def swapped(
    words: Words, kind: Swap, n_errors: int, rng: np.random.Generator
) -> tuple[Words, Bool[np.ndarray, " texts"]]:
    """Words with ``n_errors`` disjoint pairs of brackets swapped, and whether there were so many.

    Args:
        words: The words.
        kind: Which brackets change places.
        n_errors: Number of pairs.
        rng: Draws the pairs.
    """
    found, rows = words.copy(), np.arange(len(words))
    is_free = np.ones(words.shape, dtype=bool)
    has_all = np.ones(len(words), dtype=bool)
    for _ in range(n_errors):
        a, has_first = _drawn(is_free & _has_partner(words, is_free, kind), rng)
        b, _ = _drawn(is_free & _are_partners(words, words[rows, a], kind), rng)
        has_all &= has_first
        found[rows, a], found[rows, b] = words[rows, b], words[rows, a]
        is_free[rows, a] = is_free[rows, b] = False
    return found, has_all


def _are_partners(
    words: Words, bracket: Int32[np.ndarray, " texts"], kind: Swap
) -> Bool[np.ndarray, "texts brackets"]:
    """Which brackets of a word may change places with one of its brackets."""
    is_same_side: np.ndarray = words % 2 == bracket[:, None] % 2
    is_other: np.ndarray = words != bracket[:, None]
    return ~is_same_side if kind is Swap.swap else is_same_side & is_other


def _has_partner(
    words: Words, is_free: Bool[np.ndarray, "texts brackets"], kind: Swap
) -> Bool[np.ndarray, "texts brackets"]:
    """Which brackets may change places with some free one."""
    found = np.zeros(words.shape, dtype=bool)
    for bracket in np.unique(words):
        own = np.full(len(words), bracket)
        exists = (is_free & _are_partners(words, own, kind)).any(axis=1)
        found |= (words == bracket) & exists[:, None]
    return found


def _drawn(
    is_allowed: Bool[np.ndarray, "texts brackets"], rng: np.random.Generator
) -> tuple[np.ndarray, Bool[np.ndarray, " texts"]]:
    """A random allowed position of each text, and whether there is one."""
    keys = np.where(is_allowed, rng.random(is_allowed.shape), -1.0)
    position: np.ndarray = keys.argmax(axis=1)
    return position, keys[np.arange(len(keys)), position] >= 0
