"""Completions of a prefix, drawn from a grammar's true conditional distribution."""

import numpy as np

from physlm.data.cfg.sampling import expand
from physlm.data.cfg.spans import begin_path, extend_paths, new_positions, taken
from physlm.data.compilation import compiled, compiled_within, inlined
from physlm.data.growing import grown
from physlm.data.splitmix import next_bits, stream_of, unit


@compiled
def completions(n, tables, rule_weights, spans, expected, end_weight, key, n_completions):  # type: ignore[no-untyped-def]
    """Completions of the first n tokens of a string, drawn ``n_completions`` times.

    The next terminal, or the end of the string, is drawn in proportion to the weight with which
    it is expected. Then, from the last level up, the rule that expects it is drawn together with
    the start of the rule's symbol. The remaining children of these rules are expanded freely.

    Args:
        n: Tokens of the prefix.
        tables: The grammar.
        rule_weights: Weight of every rule.
        spans: Constituents of the prefix.
        expected: Weight with which each symbol begins at each position, from `spans.forward`.
        end_weight: Weight of the end of the string after n tokens.
        key: Key of the random streams, one for each completion.
        n_completions: Number of completions.

    Returns:
        Tokens, and where each completion starts.
    """
    longest = tables.longest[0]
    starts = np.zeros(n_completions + 1, dtype=np.int64)
    tokens = np.empty(longest, dtype=np.int32)
    rows = np.empty((2, longest + tables.children.shape[1]), dtype=np.int64)
    paths = new_positions(n)
    for i in range(n_completions):
        tokens = grown(tokens, starts[i], longest)
        state = stream_of(key, i)
        rest = tokens[starts[i] :]
        n_new = _completion(
            n, state, tables, rule_weights, spans, expected, end_weight, rows, paths, rest
        )
        starts[i + 1] = starts[i] + n_new
    return tokens[: starts[-1]], starts


@compiled_within
def _completion(n, state, tables, rule_weights, spans, expected, end_weight, rows, paths, tokens):  # type: ignore[no-untyped-def]
    """Write one completion into ``tokens``; returns its length.

    Args:
        n: Tokens of the prefix.
        state: State of the random stream.
        tables: The grammar.
        rule_weights: Weight of every rule.
        spans: Constituents of the prefix.
        expected: Weight with which each symbol begins at each position.
        end_weight: Weight of the end of the string after n tokens.
        rows: Room for two levels of symbols.
        paths: Two empty sets of positions, from `new_positions`.
        tokens: Room for the longest string.
    """
    n_levels = len(tables.level_starts) - 1
    no_choices = np.empty(0, dtype=np.int32)
    # The end of the string, after all symbols, stays the choice unless a terminal replaces it.
    symbol, total = len(tables.symbols), end_weight
    for terminal in range(tables.level_starts[-2], len(tables.symbols)):
        state, is_chosen, total = _draw(state, expected[terminal, n], total)
        symbol = terminal if is_chosen else symbol
    if symbol == len(tables.symbols):
        return 0
    state, n_new, _ = expand(symbol, n_levels - 1, state, tables, rows, tokens, no_choices)
    position = n
    # The path from the drawn terminal up to the root: each step draws the parent of the symbol
    # so far, in proportion to the weight of all derivations that contain it.
    for level in range(n_levels - 2, -1, -1):
        state, symbol, rule, child, position = _parent(
            symbol, level, position, state, tables, rule_weights, spans, expected, paths
        )
        for c in range(child + 1, tables.n_children[rule]):
            sibling, rest = tables.children[rule, c], tokens[n_new:]
            state, n_more, _ = expand(sibling, level + 1, state, tables, rows, rest, no_choices)
            n_new += n_more
    return n_new


@inlined
def _draw(state, weight, total):  # type: ignore[no-untyped-def]
    """Whether a further choice replaces the current one, by its weight (reservoir sampling)."""
    # One pass over choices of unknown total weight; choices need not be stored.
    total += weight
    state, bits = next_bits(state)
    return state, weight > 0 and unit(bits) * total < weight, total


@compiled_within
def _parent(symbol, level, position, state, tables, rule_weights, spans, expected, paths):  # type: ignore[no-untyped-def]
    """Draw the parent of a symbol: its rule, the index of the child, and the parent's start.

    Args:
        symbol: The child.
        level: The parent's level.
        position: Where the child begins.
        state: State of the random stream.
        tables: The grammar.
        rule_weights: Weight of every rule.
        spans: Constituents of the prefix.
        expected: Weight with which each symbol begins at each position.
        paths: Two empty sets of positions, from `new_positions`.
    """
    owner, chosen, child, began = -1, -1, -1, -1
    total = 0.0
    for above in range(tables.level_starts[level], tables.level_starts[level + 1]):
        for start in range(position + 1):
            if expected[above, start] == 0:
                continue
            for rule in range(tables.rule_starts[above], tables.rule_starts[above + 1]):
                weight = expected[above, start] * rule_weights[rule]
                # The path weight at child c is that of all splits of the tokens from `start` to
                # here among the children before c, times the weight that expects the rule.
                n_paths = begin_path(start, weight, paths)
                for c in range(tables.n_children[rule]):
                    if tables.children[rule, c] == symbol and paths[2][c % 2, position]:
                        here = paths[1][c % 2, position]
                        state, is_chosen, total = _draw(state, here, total)
                        if is_chosen:
                            owner, chosen, child, began = above, rule, c, start
                    n_paths = extend_paths(
                        tables.children[rule, c], c % 2, n_paths, False, spans, paths
                    )
                # Sets are emptied entry by entry: clearing whole arrays would cost more than paths.
                side = tables.n_children[rule] % 2
                for k in range(n_paths):
                    taken(side, paths[0][side, k], paths)
    return state, owner, chosen, child, began
