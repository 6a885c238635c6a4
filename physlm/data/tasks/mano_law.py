"""Distributions of the values of Mano's expressions: all, those for training, the held-out ones."""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int64

from physlm.data.tasks.mano_documents import split_counts

OPERATORS = ("+", "-", "*")
_MOST = 10_000_000  # expressions that are counted one by one


@lru_cache
def value_law(modulus: int, n_operators: int) -> Float64[np.ndarray, " values"]:
    """Probability of each value of an expression."""
    law = np.full(modulus, 1 / modulus)
    if n_operators == 0:
        return law
    law, values = np.zeros(modulus), np.arange(modulus)
    left, right = values[:, None], values[None, :]
    for n_left in range(n_operators):
        both = np.outer(value_law(modulus, n_left), value_law(modulus, n_operators - 1 - n_left))
        for results in (left + right, left - right, left * right):
            law += np.bincount((results % modulus).ravel(), weights=both.ravel())
    found: np.ndarray = law / (len(OPERATORS) * n_operators)
    return found


@lru_cache
def split_laws(
    modulus: int, n_operators: int, held_out_fraction: float
) -> Float64[np.ndarray, "2 values"]:
    """Probability of each value of the expressions that are not held out, and of those that are.

    Exact up to ten million expressions, which are counted one by one. With more, both parts have
    `value_law`, up to the randomness of the hash.
    """
    if n_expressions(modulus, n_operators) > _MOST:
        return np.tile(value_law(modulus, n_operators), (2, 1))
    forms, law = _forms(modulus, n_operators)
    counts = split_counts(forms, modulus, hash_bound(held_out_fraction))
    weights = np.einsum("f,sfv->sv", law, counts)
    found: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return found


def n_expressions(modulus: int, n_operators: int) -> int:
    """Number of expressions with ``n_operators`` operators: a Catalan number of trees."""
    n_trees = math.comb(2 * n_operators, n_operators) // (n_operators + 1)
    n_written: int = n_trees * len(OPERATORS) ** n_operators * modulus ** (n_operators + 1)
    return n_written


def hash_bound(fraction: float) -> np.uint64:
    """The number below which a fraction of all hashes lies."""
    return np.uint64(math.floor(fraction * 2**64))


def _forms(
    modulus: int, n_operators: int
) -> tuple[Int64[np.ndarray, "forms tokens"], Float64[np.ndarray, " forms"]]:
    """Expressions with 0 in the places of values, and the probability of each."""
    # For every number of operators, those made of smaller ones: an operator and its two parts.
    found: list[list[tuple[list[int], float]]] = [[([0], 1.0)]]
    for n in range(1, n_operators + 1):
        found.append(
            [
                ([modulus + operator, *a, *b], p * q / (len(OPERATORS) * n))
                for n_left in range(n)
                for a, p in found[n_left]
                for b, q in found[n - 1 - n_left]
                for operator in range(len(OPERATORS))
            ]
        )
    tokens, law = zip(*found[n_operators], strict=True)
    return np.array(tokens), np.array(law)
