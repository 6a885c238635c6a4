"""Dyck words of a fixed length: counted, numbered and checked.

A shape is a word without types: +1 for each opening bracket, -1 for each closing one. Bracket type
j is the token 2j when it opens and 2j + 1 when it closes.
"""

from functools import cache

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

Shapes = Bool[np.ndarray, "texts brackets"]


@cache
def n_completions(n_brackets: int) -> Int64[np.ndarray, "remaining depths"]:
    """The number of ways to complete a word, by the number of remaining brackets and the depth.

    Only depths that a word of this length can reach are counted; the number of all shapes is that
    of ``n_brackets`` remaining at depth 0.
    """
    ways = np.zeros((n_brackets + 1, n_brackets + 2), dtype=object)
    ways[0, 0] = 1
    for remaining in range(1, n_brackets + 1):
        for depth in range(min(remaining, n_brackets - remaining) + 1):
            closing = ways[remaining - 1, depth - 1] if depth else 0
            ways[remaining, depth] = ways[remaining - 1, depth + 1] + closing
    return ways.astype(np.int64)


def n_shapes(n_brackets: int) -> int:
    """The number of shapes: the Catalan number of half the length."""
    count = 1
    for i in range(n_brackets // 2):
        count = count * 2 * (2 * i + 1) // (i + 2)
    return count


def shapes_of(numbers: Int64[np.ndarray, " texts"], n_brackets: int) -> Shapes:
    """The shapes with these numbers, counted from 0; True where a bracket opens."""
    ways = n_completions(n_brackets)
    is_open = np.empty((len(numbers), n_brackets), dtype=bool)
    depth, rest = np.zeros_like(numbers), numbers.copy()
    for t in range(n_brackets):
        # Words that continue with an opening bracket are numbered before those that close one.
        n_opening = ways[n_brackets - t - 1, depth + 1]
        is_open[:, t] = rest < n_opening
        rest -= np.where(is_open[:, t], 0, n_opening)
        depth += np.where(is_open[:, t], 1, -1)
    return is_open


def typed(
    is_open: Shapes, types: Int64[np.ndarray, "texts pairs"]
) -> Int32[np.ndarray, "texts brackets"]:
    """Words of shapes; the types are those of the opening brackets in order."""
    n_texts, n_brackets = is_open.shape
    words = np.empty((n_texts, n_brackets), dtype=np.int32)
    stack = np.empty((n_texts, n_brackets // 2 + 1), dtype=np.int64)
    depth, n_opened, rows = (
        np.zeros(n_texts, np.int64),
        np.zeros(n_texts, np.int64),
        np.arange(n_texts),
    )
    for t in range(n_brackets):
        opens = is_open[:, t]
        depth -= ~opens
        kind = np.where(opens, types[rows, np.minimum(n_opened, types.shape[1] - 1)], 0)
        stack[rows[opens], depth[opens]] = kind[opens]
        words[:, t] = 2 * stack[rows, depth] + ~opens
        depth += opens
        n_opened += opens
    return words


def first_wrong_bracket(words: Int32[np.ndarray, "texts brackets"]) -> Int64[np.ndarray, " texts"]:
    """The first bracket after which no word of this length can follow; -1 in Dyck words.

    A closing bracket is wrong if nothing is open or another type is; an opening one, if too few
    brackets remain to close it.
    """
    n_texts, n_brackets = words.shape
    found = np.full(n_texts, -1, dtype=np.int64)
    stack = np.full((n_texts, n_brackets + 1), -1, dtype=np.int64)
    depth, rows = np.zeros(n_texts, dtype=np.int64), np.arange(n_texts)
    for t in range(n_brackets):
        kind, is_closing = np.divmod(words[:, t].astype(np.int64), 2)
        closes = is_closing == 1
        top = np.where(depth > 0, stack[rows, np.maximum(depth - 1, 0)], -1)
        is_wrong = np.where(closes, top != kind, depth + 1 > n_brackets - t - 1)
        found[is_wrong & (found < 0)] = t
        stack[rows[~closes], depth[~closes]] = kind[~closes]
        depth = np.where(closes, np.maximum(depth - 1, 0), depth + 1)
    return found


def opening_probabilities(is_open: Shapes) -> Float64[np.ndarray, "texts brackets"]:
    """The probability that each bracket opens, given those before it; all shapes equally likely."""
    n_texts, n_brackets = is_open.shape
    ways = n_completions(n_brackets).astype(np.float64)
    found = np.empty((n_texts, n_brackets))
    depth = np.zeros(n_texts, dtype=np.int64)
    for t in range(n_brackets):
        remaining = n_brackets - t
        found[:, t] = ways[remaining - 1, depth + 1] / ways[remaining, depth]
        depth += np.where(is_open[:, t], 1, -1)
    return found


def binary_entropies(p: Float64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
    """Entropy of an event of each probability, in nats; 0 at the probabilities 0 and 1."""
    both = np.stack([p, 1 - p])
    found: np.ndarray = -(both * np.log(np.where(both > 0, both, 1.0))).sum(axis=0)
    return found
