"""What a grammar knows of its strings, in closed form."""

import math

import numpy as np
from jaxtyping import Float64

from physlm.data.cfg.rules import Rules
from physlm.data.cfg.tables import Tables


def length_distribution(rules: Rules) -> Float64[np.ndarray, " longest_1"]:
    """Probability of every length from 0 to the longest, by convolution, level by level."""
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
    """Entropy of a derivation and its tokens: each choice counts as often as it is expected."""
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
    """Bits to write the rules down, given how many symbols are on each level.

    For each symbol the number of its alternatives, for each of these its length, and for each
    place in it one of the next level's symbols.
    """
    most_rules = max(map(len, rules.expansions.values()))
    longest = max(len(expansion) for _, expansion in rules)
    bits = len(rules.expansions) * math.log2(most_rules)
    for level, below in zip(rules.levels[:-1], rules.levels[1:], strict=True):
        for symbol in level:
            for expansion in rules.expansions[symbol]:
                bits += math.log2(longest) + len(expansion) * math.log2(len(below))
    return bits
