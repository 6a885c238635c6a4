"""A grammar as arrays, for compiled code."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int32, Int64

from physlm.data.cfg.rules import Bags, Rules
from physlm.memory import require_memory


class Tables(NamedTuple):
    """A grammar with symbols renumbered level by level: the root is 0, terminals come last.

    Attributes:
        symbols: Original number of each symbol.
        level_starts: Level l (from 0) has the symbols ``level_starts[l]:level_starts[l + 1]``.
        rule_starts: Symbol s has the rules ``rule_starts[s]:rule_starts[s + 1]``.
        n_children: Length of each rule's right-hand side.
        children: Symbols of each right-hand side, padded with arbitrary symbols.
        tokens: The tokens of strings, in ascending order; compiled code uses indices into them.
        emissions: Probability that a terminal becomes a token.
        cumulative: Cumulative emissions over the tokens; the last column is 1.
        is_plain: Whether every terminal is its own token.
        longest: Tokens of the longest string of each symbol.
        most_choices: Rules in the largest derivation of each symbol.
    """

    symbols: Int32[np.ndarray, " symbols"]
    level_starts: Int64[np.ndarray, " levels_1"]
    rule_starts: Int64[np.ndarray, " nonterminals_1"]
    n_children: Int64[np.ndarray, " rules"]
    children: Int64[np.ndarray, "rules most_children"]
    tokens: Int32[np.ndarray, " tokens"]
    emissions: Float64[np.ndarray, "terminals tokens"]
    cumulative: Float64[np.ndarray, "terminals tokens"]
    is_plain: bool
    longest: Int64[np.ndarray, " symbols"]
    most_choices: Int64[np.ndarray, " symbols"]

    @property
    def n_levels(self) -> int:
        """Number of levels, including those of the root and the terminals."""
        return len(self.level_starts) - 1

    @property
    def n_alternatives(self) -> Int64[np.ndarray, " nonterminals"]:
        """Number of rules of each nonterminal."""
        return np.diff(self.rule_starts)


def tables(rules: Rules, bags: Bags) -> Tables:
    """The arrays of rules; a terminal without a bag is its own token."""
    symbols = [symbol for level in rules.levels for symbol in level]
    longest, most_choices = (_largest(rules, symbols, leaf=leaf) for leaf in (1, 0))
    _require_room(rules, bags, longest[0])
    place = {symbol: i for i, symbol in enumerate(symbols)}
    rows = [rules.expansions[s] for s in symbols if s in rules.expansions]
    expansions = [expansion for row in rows for expansion in row]
    most = max(3, *map(len, expansions))  # three are copied at once (sampling.py)
    weights = {t: bags.get(t, {t: 1.0}) for t in rules.terminals}
    tokens = sorted({token for bag in weights.values() for token in bag})
    emissions = np.array([[weights[t].get(token, 0.0) for token in tokens] for t in weights])
    emissions /= emissions.sum(axis=1, keepdims=True)
    cumulative = emissions.cumsum(axis=1)
    return Tables(
        symbols=np.array(symbols, dtype=np.int32),
        level_starts=_starts([len(level) for level in rules.levels]),
        rule_starts=_starts([len(row) for row in rows]),
        n_children=np.array([len(e) for e in expansions], dtype=np.int64),
        children=np.array([[place[s] for s in e] + [0] * (most - len(e)) for e in expansions]),
        tokens=np.array(tokens, dtype=np.int32),
        emissions=emissions,
        cumulative=cumulative / cumulative[:, -1:],
        is_plain=emissions.shape == (len(tokens),) * 2 and bool((emissions.diagonal() == 1).all()),
        longest=np.array(longest, dtype=np.int64),
        most_choices=np.array(most_choices, dtype=np.int64),
    )


def _starts(lengths: list[int]) -> Int64[np.ndarray, " lengths_1"]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _require_room(rules: Rules, bags: Bags, longest: int) -> None:
    """Require that the longest string and the table of emissions fit into memory."""
    n_terminals = len(rules.terminals)
    n_tokens = len({token for bag in bags.values() for token in bag}) or n_terminals
    require_memory(
        {
            f"a string of {longest} tokens, the grammar's longest": 20 * longest,
            f"a grammar of {n_terminals} terminals and {n_tokens} tokens": 16
            * n_terminals
            * n_tokens,
        }
    )


def _largest(rules: Rules, symbols: list[int], *, leaf: int) -> list[int]:
    """Maximum number of leaves (leaf=1) or rules (leaf=0) of a derivation, for each symbol."""
    found = dict.fromkeys(rules.terminals, leaf)
    for symbol in reversed(symbols):
        if symbol not in found:
            sizes = [sum(found[child] for child in e) for e in rules.expansions[symbol]]
            found[symbol] = max(sizes) + 1 - leaf
    return [found[symbol] for symbol in symbols]
