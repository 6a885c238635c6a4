"""Inside and forward weights: which spans each symbol derives, and where each can begin.

Bottom up, ``inside`` finds every span of every symbol with its weight. Top down, ``forward`` finds
where each symbol can begin given all tokens before. Rules lead one level down, so one pass of each
suffices. Spans are sparse lists instead of dense tables: few of them exist.

Weights are multiplied by a constant per token, which keeps those of long strings within floats.

Source:
    Baker (1979), inside probabilities; Stolcke (1995), forward probabilities of prefixes. Physics
    of Language Models, Part 1, has the same quantities as dense tables (appendix on the two-step
    dynamic programme).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int32, Int64

from physlm.data.cfg.tables import Tables
from physlm.data.compilation import compiled, compiled_within, inlined
from physlm.data.growing import grown


class Spans(NamedTuple):
    """Spans of one string, by symbol and first position.

    Attributes:
        firsts: The spans of symbol s from position i are ``firsts[s, i]:lasts[s, i]``.
        lasts: See ``firsts``.
        ends: End of each span, exclusive.
        weights: Weight of each span.
    """

    firsts: Int64[np.ndarray, "symbols positions_1"]
    lasts: Int64[np.ndarray, "symbols positions_1"]
    ends: Int32[np.ndarray, " spans"]
    weights: Float64[np.ndarray, " spans"]


class Weights(NamedTuple):
    """Factors of the weight of a derivation.

    Attributes:
        rules: One factor for each rule.
        tokens: One factor for each terminal and the token that it becomes.
        is_best: The weight of a span is that of its best derivation instead of the sum over all.
    """

    rules: Float64[np.ndarray, " rules"]
    tokens: Float64[np.ndarray, "terminals tokens"]
    is_best: bool = False


def probabilities(tables: Tables, scale: float, *, is_best: bool = False) -> Weights:
    """Weights that are probabilities, times ``scale`` for each token."""
    n = tables.n_alternatives
    return Weights(np.repeat(1.0 / n, n), tables.emissions * scale, is_best)


def counts(tables: Tables) -> Weights:
    """Weights that count derivations."""
    n_rules = len(tables.n_children)
    return Weights(np.ones(n_rules), (tables.emissions > 0).astype(np.float64))


def root_weights(spans: Spans, n: int) -> Float64[np.ndarray, " n_1"]:
    """The weight of the root over each prefix of a string of n tokens; 0 if it derives none."""
    weights = np.zeros(n + 1)
    found = slice(spans.firsts[0, 0], spans.lasts[0, 0])
    weights[spans.ends[found]] = spans.weights[found]
    return weights


@compiled
def inside(tokens, tables, weights):  # type: ignore[no-untyped-def]
    """All spans of a string, given as indices into the grammar's tokens."""
    n, first_terminal = len(tokens), tables.level_starts[-2]
    rule_starts, n_children, children = tables.rule_starts, tables.n_children, tables.children
    rule_weights, token_weights, is_best = weights.rules, weights.tokens, weights.is_best
    firsts = np.zeros((len(tables.symbols), n + 1), dtype=np.int64)
    lasts = np.zeros((len(tables.symbols), n + 1), dtype=np.int64)
    ends = np.empty((len(token_weights) + 2) * (n + 1), dtype=np.int32)
    values = np.empty(len(ends))
    n_spans = 0
    for terminal in range(len(token_weights)):
        for start in range(n):
            firsts[first_terminal + terminal, start] = n_spans
            if token_weights[terminal, tokens[start]] > 0:
                ends[n_spans] = start + 1
                values[n_spans] = token_weights[terminal, tokens[start]]
                n_spans += 1
            lasts[first_terminal + terminal, start] = n_spans
    # Symbols are numbered level by level from the root, so descending order is bottom up: all
    # spans of the children exist before a rule needs them.
    paths, found = new_positions(n), new_positions(n)
    for symbol in range(first_terminal - 1, -1, -1):
        n_starts = n + 1 if symbol else 1  # the root only derives prefixes of the string
        for start in range(n_starts):
            n_found = 0
            for rule in range(rule_starts[symbol], rule_starts[symbol + 1]):
                first_child, length = children[rule, 0], n_children[rule]
                if firsts[first_child, start] == lasts[first_child, start]:
                    continue
                # A rule is followed child by child: `paths` has the positions that its children so
                # far can reach, in two sets that take turns. `found` merges the ends of all rules.
                spans = firsts, lasts, ends, values
                n_paths = begin_path(start, rule_weights[rule], paths)
                for c in range(length):
                    n_paths = extend_paths(children[rule, c], c % 2, n_paths, is_best, spans, paths)
                for k in range(n_paths):
                    end = paths[0][length % 2, k]
                    weight = taken(length % 2, end, paths)
                    n_found = reach(end, weight, 0, n_found, is_best, found)
            # Spans of one (symbol, start) are contiguous, which `firsts` and `lasts` rely on.
            ends = grown(ends, n_spans, n_found)
            values = grown(values, n_spans, n_found)
            firsts[symbol, start] = n_spans
            for k in range(n_found):
                ends[n_spans + k] = found[0][0, k]
                values[n_spans + k] = taken(0, found[0][0, k], found)
            n_spans += n_found
            lasts[symbol, start] = n_spans
    return Spans(firsts, lasts, ends[:n_spans], values[:n_spans])


@compiled
def forward(n, tables, rule_weights, spans, seeds, first_level):  # type: ignore[no-untyped-def]
    """Weight of all partial derivations that expect a symbol at a position.

    Args:
        n: Tokens of the string.
        tables: The grammar.
        rule_weights: Weight of every rule.
        spans: Spans of the string, from `inside`.
        seeds: Weight with which each symbol of one level is expected at each position.
        first_level: That level, from 0.

    Returns:
        Weights for each symbol and position; 0 for levels above ``first_level``.
    """
    rule_starts, n_children, children = tables.rule_starts, tables.n_children, tables.children
    level_starts = tables.level_starts
    expected = np.zeros((len(tables.symbols), n + 1))
    for k in range(len(seeds)):
        for start in range(n + 1):
            expected[level_starts[first_level] + k, start] = seeds[k, start]
    paths = new_positions(n)
    for symbol in range(level_starts[first_level], level_starts[-2]):
        for start in range(n + 1):
            if expected[symbol, start] == 0:
                continue
            # Ascending symbols are top down: the weight of a parent is complete when it is used.
            for rule in range(rule_starts[symbol], rule_starts[symbol + 1]):
                weight = expected[symbol, start] * rule_weights[rule]
                n_paths = begin_path(start, weight, paths)
                for c in range(n_children[rule]):
                    for k in range(n_paths):
                        at = paths[0][c % 2, k]
                        expected[children[rule, c], at] += paths[1][c % 2, at]
                    n_paths = extend_paths(children[rule, c], c % 2, n_paths, False, spans, paths)
                for k in range(n_paths):
                    taken(n_children[rule] % 2, paths[0][n_children[rule] % 2, k], paths)
    return expected


@compiled_within
def new_positions(n):  # type: ignore[no-untyped-def]
    """Two sets of positions with weights: members as a list, weights and membership by position."""
    # Allocated once per string: listing members makes clearing a set as cheap as filling it.
    shape = (2, n + 1)
    return np.empty(shape, dtype=np.int32), np.empty(shape), np.zeros(shape, dtype=np.bool_)


@inlined
def reach(position, weight, side, n, is_best, positions):  # type: ignore[no-untyped-def]
    """Add a weight to a position of a set; returns the new number of members.

    Args:
        position: The position.
        weight: Its weight; weights of one position add up, or the largest counts if ``is_best``.
        side: Which of the two sets.
        n: Members of this set so far.
        is_best: As in `Weights`.
        positions: The two sets, from `new_positions`.
    """
    listed, weights, is_in = positions
    if not is_in[side, position]:
        is_in[side, position] = True
        listed[side, n] = position
        weights[side, position] = weight
        return n + 1
    if is_best:
        weights[side, position] = max(weights[side, position], weight)
    else:
        weights[side, position] += weight
    return n


@inlined
def taken(side, position, positions):  # type: ignore[no-untyped-def]
    """Remove a position from a set; returns its weight."""
    positions[2][side, position] = False
    return positions[1][side, position]


@inlined
def begin_path(start, weight, paths):  # type: ignore[no-untyped-def]
    """Put one position into the first set, which is empty; returns its number of members."""
    return reach(start, weight, 0, 0, False, paths)


@inlined
def extend_paths(symbol, side, n, is_best, spans, paths):  # type: ignore[no-untyped-def]
    """Extend the paths of a set by one symbol, into the other set; empties the set.

    Args:
        symbol: The next symbol of the paths.
        side: The set to read from.
        n: Its number of members.
        is_best: As in `Weights`.
        spans: Constituents of the string.
        paths: The two sets, from `new_positions`.

    Returns:
        Number of members of the other set.
    """
    firsts, lasts, ends, values = spans
    n_next = 0
    for k in range(n):
        start = paths[0][side, k]
        weight = taken(side, start, paths)
        for span in range(firsts[symbol, start], lasts[symbol, start]):
            n_next = reach(ends[span], weight * values[span], 1 - side, n_next, is_best, paths)
    return n_next
