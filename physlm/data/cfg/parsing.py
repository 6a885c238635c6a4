"""What the spans of strings tell: membership, best derivations, where strings go wrong and how."""

from collections import Counter

import numpy as np

from physlm.data.cfg.spans import Spans, forward, inside
from physlm.data.cfg.tables import Tables
from physlm.data.compilation import compiled, compiled_within


@compiled
def whole_strings(tokens, starts, tables, weights):  # type: ignore[no-untyped-def]
    """Whether the root derives each string, and its weight."""
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
def anatomy(tokens, starts, tables, weights):  # type: ignore[no-untyped-def]
    """Where strings stop being beginnings of strings of the grammar, and what is broken there.

    A string is sound up to a position on a level if it is a sequence of whole constituents of
    that level up to some point, and from there the beginning of one.

    Returns:
        How many tokens of each string begin a string of the grammar; and the deepest level, from
        1 for the root, that is sound no further. Of a string that begins one but is none, the
        deepest level whose constituents do not end with it; 0 for strings of the grammar.
    """
    n_strings, n_levels = len(starts) - 1, len(tables.level_starts) - 1
    n_sound = np.zeros(n_strings, dtype=np.int64)
    broken = np.zeros(n_strings, dtype=np.int64)
    for i in range(n_strings):
        string = tokens[starts[i] : starts[i + 1]]
        n = len(string)
        spans = inside(string, tables, weights)
        n_sound[i], is_whole = _sound(0, n, tables, weights.rules, spans)
        if n_sound[i] == n and is_whole:
            continue
        broken[i] = 1
        for level in range(1, n_levels - 1):
            reached, is_whole = _sound(level, n, tables, weights.rules, spans)
            if reached > n_sound[i] or (n_sound[i] == n and is_whole):
                break
            broken[i] = level + 1
    return n_sound, broken


@compiled_within
def _sound(level, n, tables, rule_weights, spans):  # type: ignore[no-untyped-def]
    """Up to where a string is sound on a level, and whether its constituents end with it."""
    firsts, lasts, ends, _ = spans
    first, last = tables.level_starts[level], tables.level_starts[level + 1]
    is_reached = np.zeros(n + 1, dtype=np.bool_)
    is_reached[0] = True
    seeds = np.zeros((last - first, n + 1))
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
    """How many derivations a string of n tokens has, in whole numbers of any size."""
    ways: dict[tuple[int, int], dict[int, int]] = {}  # (symbol, first position): of each end
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
    """Of a symbol, from those of its children."""
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


@compiled
def best_choices(n, tables, weights, spans):  # type: ignore[no-untyped-def]
    """The choices of the best derivation of a string of n tokens, given its best spans.

    Of equally good ones, that of the first rule and the shortest first child.
    """
    first_terminal = tables.level_starts[-2]
    n_most = n * (len(tables.level_starts) - 1)
    nodes = np.empty((n_most, 3), dtype=np.int64)
    choices = np.empty(n_most, dtype=np.int32)
    best = np.zeros((tables.children.shape[1] + 1, n + 1))
    back = np.empty((tables.children.shape[1] + 1, n + 1), dtype=np.int64)
    nodes[0, 0], nodes[0, 1], nodes[0, 2] = 0, 0, n
    n_nodes, n_choices = 1, 0
    while n_choices < n_nodes and nodes[n_choices, 0] < first_terminal:
        symbol, start, end = nodes[n_choices]
        highest, chosen = 0.0, -1
        for rule in range(tables.rule_starts[symbol], tables.rule_starts[symbol + 1]):
            weight = _split(rule, start, end, tables, weights.rules[rule], spans, best, back)
            if weight > highest:
                highest, chosen = weight, rule
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
    """The best weight of a rule over a part of a string, with where each of its children begins."""
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
