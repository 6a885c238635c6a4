"""Statistics of a grammar: string lengths, entropy of derivations, description length."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from physlm.data.cfg.rules import Rules
from physlm.data.cfg.tables import Tables


class Estimate(NamedTuple):
    """A mean over samples, with its standard error."""

    value: float
    stderr: float


def mean_of(values: Float64[np.ndarray, " n"]) -> Estimate:
    """The mean of samples and its standard error.

    Raises:
        ValueError: If there are fewer than two.
    """
    if len(values) < 2:
        raise ValueError(f"n_strings={len(values)}; a standard error needs at least 2")
    return Estimate(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def length_distribution(rules: Rules) -> Float64[np.ndarray, " longest_1"]:
    """Probability of every string length from 0 to the longest, by convolution of each level."""
    of_symbol = {terminal: np.array([0.0, 1.0]) for terminal in rules.terminals}
    for level in reversed(rules.levels[:-1]):
        for symbol in level:
            alternatives = []
            for expansion in rules.expansions[symbol]:
                lengths = np.ones(1)
                for child in expansion:
                    lengths = np.convolve(lengths, of_symbol[child])
                alternatives.append(lengths)
            total = np.zeros(max(map(len, alternatives)))
            for lengths in alternatives:
                total[: len(lengths)] += lengths / len(alternatives)
            of_symbol[symbol] = total
    return of_symbol[rules.root]


def derivation_entropy_bits(rules: Rules, tables: Tables) -> float:
    """Entropy of a derivation and its tokens, from the entropies of symbols one level down."""
    token_bits = -np.sum(tables.emissions * _log2(tables.emissions), axis=1)
    of_symbol = dict(zip(rules.terminals, token_bits.tolist(), strict=True))
    for level in reversed(rules.levels[:-1]):
        for symbol in level:
            alternatives = rules.expansions[symbol]
            below = sum(of_symbol[child] for row in alternatives for child in row)
            of_symbol[symbol] = math.log2(len(alternatives)) + below / len(alternatives)
    return float(of_symbol[rules.root])


def _log2(p: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    logarithms: np.ndarray = np.log2(p, where=p > 0, out=np.zeros_like(p))
    return logarithms


def description_bits(rules: Rules) -> float:
    """Description length of the rules, given the number of symbols on each level.

    The code states for each symbol the number of its alternatives, for each alternative its
    length, and for each of its places one symbol of the next level.
    """
    most_rules = max(map(len, rules.expansions.values()))
    longest = max(len(expansion) for _, expansion in rules)
    bits = len(rules.expansions) * math.log2(most_rules)
    for level, below in zip(rules.levels[:-1], rules.levels[1:], strict=True):
        for symbol in level:
            for expansion in rules.expansions[symbol]:
                bits += math.log2(longest) + len(expansion) * math.log2(len(below))
    return bits
