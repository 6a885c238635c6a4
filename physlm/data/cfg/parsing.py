"""Parsing: membership, first errors, number of derivations, and the most probable derivation."""

from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from physlm.data.cfg.derivation import Derivations
from physlm.data.cfg.sampling import derive
from physlm.data.cfg.spans import Spans, Weights, forward, inside
from physlm.data.cfg.tables import Tables
from physlm.data.compilation import compiled, compiled_within


class Faults(NamedTuple):
    """The first error of each string.

    Attributes:
        n_sound: Length of the longest prefix of each string that begins a string of the language.
            The next token is the first wrong one, or the end of the string is wrong.
        broken_level: The level of the constituent broken there, from 1 for the root; 0 for strings
            of the language. It is the deepest level on which the string, read as any sequence of
            constituents of that level, has its first error at the same place.
    """

    n_sound: Int64[np.ndarray, " strings"]
    broken_level: Int64[np.ndarray, " strings"]


@compiled
def whole_strings(tokens, starts, tables, weights):  # type: ignore[no-untyped-def]
    """Whether the root derives each string, and its weight.

    Args:
        tokens: Indices into the grammar's tokens, all strings end to end.
        starts: String i is ``tokens[starts[i]:starts[i + 1]]``.
        tables: The grammar.
        weights: Factors of the weight of a derivation.
    """
    n_strings = len(starts) - 1
    is_derived = np.zeros(n_strings, dtype=np.bool_)
    values = np.zeros(n_strings)
    for i in range(n_strings):
        string = tokens[starts[i] : starts[i + 1]]
        firsts, lasts, ends, weight = inside(string, tables, weights)
        for span in range(firsts[0, 0], lasts[0, 0]):
            if ends[span] == len(string):
                is_derived[i] = True
                values[i] = weight[span]
    return is_derived, values


@compiled
def first_errors(tokens, starts, tables, weights):  # type: ignore[no-untyped-def]
    """The first error of each string, as the fields of `Faults`.

    A string is sound up to a position on a level if it is a sequence of whole constituents of
    that level up to some point, followed by the beginning of one.

    Args:
        tokens: Indices into the grammar's tokens, all strings end to end.
        starts: String i is ``tokens[starts[i]:starts[i + 1]]``.
        tables: The grammar.
        weights: Any positive weights; only whether a span exists matters.

    Returns:
        Length of the longest sound prefix of each string on the root's level; and the deepest
        level, from 1 for the root, whose longest sound prefix is no longer. If the whole string is
        sound but not in the language, the deepest level on which no constituent ends with it; 0
        for strings of the language.
    """
    n_strings, n_levels = len(starts) - 1, len(tables.level_starts) - 1
    n_sound = np.zeros(n_strings, dtype=np.int64)
    broken = np.zeros(n_strings, dtype=np.int64)
    for i in range(n_strings):
        string = tokens[starts[i] : starts[i + 1]]
        n = len(string)
        spans = inside(string, tables, weights)
        # Deeper levels forbid less, so their soundness reaches at least as far: the search stops
        # at the first level that gets beyond the error of the root's.
        for level in range(n_levels - 1):
            reached, is_whole = _sound(level, n, tables, weights.rules, spans)
            if level == 0:
                n_sound[i] = reached
            if reached > n_sound[i] or (n_sound[i] == n and is_whole):
                break
            broken[i] = level + 1
    return n_sound, broken


@compiled_within
def _sound(level, n, tables, rule_weights, spans):  # type: ignore[no-untyped-def]
    """Length of the prefix that is sound on a level, and whether a constituent ends the string.

    Args:
        level: The level, from 0.
        n: Tokens of the string.
        tables: The grammar.
        rule_weights: Weight of every rule.
        spans: Constituents of the string.
    """
    firsts, lasts, ends, _ = spans
    first, last = tables.level_starts[level], tables.level_starts[level + 1]
    is_reached = np.zeros(n + 1, dtype=np.bool_)
    is_reached[0] = True
    seeds = np.zeros((last - first, n + 1))
    # Spans lead forward only, so one pass in order of positions finds all that are reached. The
    # root occurs once, at the beginning; constituents of other levels follow each other.
    for start in range(n + 1):
        if not is_reached[start] or (level == 0 and start > 0):
            continue
        seeds[:, start] = 1.0
        for symbol in range(first, last):
            for span in range(firsts[symbol, start], lasts[symbol, start]):
                is_reached[ends[span]] = True
    expected = forward(n, tables, rule_weights, spans, seeds, level)
    n_sound = 0
    for position in range(n + 1):
        is_sound = is_reached[position]
        for terminal in range(tables.level_starts[-2], len(tables.symbols)):
            is_sound = is_sound or expected[terminal, position] > 0
        if is_sound:
            n_sound = position
    return n_sound, n > 0 and is_reached[n]


def n_derivations(n: int, tables: Tables, spans: Spans) -> int:
    """Number of derivations of a string of n tokens, as an integer of any size.

    Args:
        n: Tokens of the string.
        tables: The grammar.
        spans: All spans of the string.
    """
    ways: dict[tuple[int, int], dict[int, int]] = {}  # (symbol, start): derivations by end
    for symbol in reversed(range(len(tables.symbols))):
        for start in range(n + 1):
            found = slice(spans.firsts[symbol, start], spans.lasts[symbol, start])
            if found.start == found.stop:
                continue
            if symbol >= tables.level_starts[-2]:
                ways[symbol, start] = dict.fromkeys(spans.ends[found].tolist(), 1)
            else:
                ways[symbol, start] = _ways(symbol, start, tables, ways)
    return ways.get((0, 0), {}).get(n, 0)


def _ways(
    symbol: int, start: int, tables: Tables, ways: dict[tuple[int, int], dict[int, int]]
) -> dict[int, int]:
    """Derivations of a symbol from one start, by end, computed from those of its children."""
    total: Counter[int] = Counter()
    for rule in range(tables.rule_starts[symbol], tables.rule_starts[symbol + 1]):
        paths = Counter({start: 1})
        for child in tables.children[rule, : tables.n_children[rule]].tolist():
            following: Counter[int] = Counter()
            for position, n_paths in paths.items():
                for end, n_ways in ways.get((child, position), {}).items():
                    following[end] += n_paths * n_ways
            paths = following
        total.update(paths)
    return dict(total)


def best_derivations(
    tokens: np.ndarray, starts: np.ndarray, tables: Tables, weights: Weights
) -> Derivations:
    """The most probable derivation of each string.

    Args:
        tokens: Indices into the grammar's tokens, all strings end to end.
        starts: String i is ``tokens[starts[i]:starts[i + 1]]``, and must be in the language.
        tables: The grammar.
        weights: Probabilities, with ``is_best``.
    """
    choices = []
    for start, end in pairwise(starts):
        spans = inside(tokens[start:end], tables, weights)
        choices.append(_best_choices(end - start, tables, weights, spans))
    choice_starts = np.concatenate([[0], np.cumsum([len(row) for row in choices])])
    drawn = tokens.astype(np.int32)  # as `sample` draws them: other types would be compiled anew
    return derive(tables, drawn, starts, np.concatenate(choices), choice_starts)


@compiled
def _best_choices(n, tables, weights, spans):  # type: ignore[no-untyped-def]
    """The choices of the most probable derivation of a string of n tokens.

    Ties go to the first rule and the shortest first child.

    Args:
        n: Tokens of the string.
        tables: The grammar.
        weights: Probabilities, with ``is_best``.
        spans: Spans under these weights.
    """
    first_terminal = tables.level_starts[-2]
    n_most = n * (len(tables.level_starts) - 1)
    nodes = np.empty((n_most, 3), dtype=np.int64)
    choices = np.empty(n_most, dtype=np.int32)
    best = np.zeros((tables.children.shape[1] + 1, n + 1))
    back = np.empty((tables.children.shape[1] + 1, n + 1), dtype=np.int64)
    # Nodes (symbol, start, end) are a queue in breadth-first order, which is the order of
    # choices in a derivation (see sampling.py).
    nodes[0, 0], nodes[0, 1], nodes[0, 2] = 0, 0, n
    n_nodes, n_choices = 1, 0
    while n_choices < n_nodes and nodes[n_choices, 0] < first_terminal:
        symbol, start, end = nodes[n_choices]
        highest, chosen = 0.0, tables.rule_starts[symbol]
        for rule in range(tables.rule_starts[symbol], tables.rule_starts[symbol + 1]):
            weight = _split(rule, start, end, tables, weights.rules[rule], spans, best, back)
            if weight > highest:
                highest, chosen = weight, rule
        # Again for the chosen rule: later rules have overwritten `back`.
        _split(chosen, start, end, tables, weights.rules[chosen], spans, best, back)
        choices[n_choices] = chosen - tables.rule_starts[symbol]
        n_choices += 1
        length = tables.n_children[chosen]
        for c in range(length, 0, -1):
            begin = back[c, end]
            node = n_nodes + c - 1
            nodes[node, 0], nodes[node, 1] = tables.children[chosen, c - 1], begin
            nodes[node, 2] = end
            end = begin
        n_nodes += length
    return choices[:n_choices]


@compiled_within
def _split(rule, start, end, tables, weight, spans, best, back):  # type: ignore[no-untyped-def]
    """The best weight of a rule over ``start`` to ``end``, with the start of each of its children.

    Args:
        rule: The rule.
        start: First position.
        end: Last position, exclusive.
        tables: The grammar.
        weight: Weight of the rule.
        spans: Best spans of the string.
        best: Receives, at [c, p], the best weight of the first c children if they end at p.
        back: Receives, at [c, p], the start of the last of these children.
    """
    firsts, lasts, ends, values = spans
    length = tables.n_children[rule]
    best[: length + 1, start : end + 1] = 0.0
    best[0, start] = weight
    for c in range(length):
        child = tables.children[rule, c]
        for begin in range(start, end + 1):
            if best[c, begin] == 0.0:
                continue
            for span in range(firsts[child, begin], lasts[child, begin]):
                stop, found = ends[span], best[c, begin] * values[span]
                if stop <= end and found > best[c + 1, stop]:
                    best[c + 1, stop] = found
                    back[c + 1, stop] = begin
    return best[length, end]
