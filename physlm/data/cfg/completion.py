"""How a beginning goes on: endings drawn from a grammar's true conditional distribution."""

import numpy as np

from physlm.data.cfg.sampling import expand, grown
from physlm.data.cfg.spans import begin_path, go_on, new_positions, taken
from physlm.data.compilation import compiled, compiled_within, inlined
from physlm.data.splitmix import next_bits, stream_of, unit


@compiled
def endings(n, tables, rule_weights, spans, expected, end_weight, key, n_endings):  # type: ignore[no-untyped-def]
    """What follows the first n tokens of a string, drawn ``n_endings`` times.

    First the terminal that comes next, in proportion to the weight with which it is expected, or
    the end of the string. Then, from the last level up, the rule that expects it and where that
    rule's symbol began. What is left of these rules is expanded freely.

    Returns:
        Tokens, and where each ending starts.
    """
    n_symbols, longest = len(tables.symbols), tables.longest[0]
    n_levels = len(tables.level_starts) - 1
    starts = np.zeros(n_endings + 1, dtype=np.int64)
    tokens = np.empty(longest, dtype=np.int32)
    rows = np.empty((2, longest + tables.children.shape[1]), dtype=np.int64)
    no_choices = np.empty(0, dtype=np.int32)
    paths = new_positions(n)
    for i in range(n_endings):
        tokens = grown(tokens, starts[i], longest)
        at, state = starts[i], stream_of(key, i)
        symbol, total = -1, end_weight
        for terminal in range(tables.level_starts[-2], n_symbols):
            state, is_chosen, total = _draw(state, expected[terminal, n], total)
            symbol = terminal if is_chosen else symbol
        if symbol >= 0:
            position = n
            state, n_new, _ = expand(
                symbol, n_levels - 1, state, tables, rows, tokens[at:], no_choices, False
            )
            at += n_new
            for level in range(n_levels - 2, -1, -1):
                state, owner, rule, child, position = _parent(
                    symbol, level, position, state, tables, rule_weights, spans, expected, paths
                )
                for c in range(child + 1, tables.n_children[rule]):
                    state, n_new, _ = expand(
                        tables.children[rule, c],
                        level + 1,
                        state,
                        tables,
                        rows,
                        tokens[at:],
                        no_choices,
                        False,
                    )
                    at += n_new
                symbol = owner
        starts[i + 1] = at
    return tokens[: starts[-1]], starts


@inlined
def _draw(state, weight, total):  # type: ignore[no-untyped-def]
    """Whether one more choice replaces the one so far, so that each is drawn by its weight."""
    total += weight
    state, bits = next_bits(state)
    return state, weight > 0 and unit(bits) * total < weight, total


@compiled_within
def _parent(symbol, level, position, state, tables, rule_weights, spans, expected, paths):  # type: ignore[no-untyped-def]
    """A symbol of a level, its rule, which child is the given one, and where the symbol began."""
    owner, chosen, child, began = -1, -1, -1, -1
    total = 0.0
    for above in range(tables.level_starts[level], tables.level_starts[level + 1]):
        for start in range(position + 1):
            if expected[above, start] == 0:
                continue
            for rule in range(tables.rule_starts[above], tables.rule_starts[above + 1]):
                weight = expected[above, start] * rule_weights[rule]
                n_paths = begin_path(start, weight, paths)
                for c in range(tables.n_children[rule]):
                    if tables.children[rule, c] == symbol and paths[2][c % 2, position]:
                        here = paths[1][c % 2, position]
                        state, is_chosen, total = _draw(state, here, total)
                        if is_chosen:
                            owner, chosen, child, began = above, rule, c, start
                    n_paths = go_on(tables.children[rule, c], c % 2, n_paths, False, spans, paths)
                side = tables.n_children[rule] % 2
                for k in range(n_paths):
                    taken(side, paths[0][side, k], paths)
    return state, owner, chosen, child, began
