"""Strings sampled from a grammar, in compiled code; all alternatives of a symbol equally likely.

A derivation is encoded by its choices in breadth-first order: the root's, then those of the next
level from left to right, and so on.
"""

import numpy as np

from physlm.data.cfg.derivation import Derivations, Strings
from physlm.data.cfg.tables import Tables
from physlm.data.compilation import compiled, compiled_within
from physlm.data.growing import grown
from physlm.data.splitmix import below, next_bits, stream_of, unit


def sample(tables: Tables, key: int, first: int, n: int, *, has_derivations: bool) -> Strings:
    """Strings ``first`` to ``first + n - 1`` of a key, each a function of its number alone.

    Args:
        tables: The grammar.
        key: Key of the random streams.
        first: Number of the first string.
        n: Number of strings.
        has_derivations: Whether to return derivations too.
    """
    drawn = _sample(tables, np.uint64(key), first, n, has_derivations)
    tokens, starts, choices, choice_starts = drawn
    strings = tables.tokens[tokens]
    if not has_derivations:
        return Strings(strings, starts)
    return Strings(strings, starts, derive(tables, tokens, starts, choices, choice_starts))


def derive(
    tables: Tables,
    tokens: np.ndarray,
    starts: np.ndarray,
    choices: np.ndarray,
    choice_starts: np.ndarray,
) -> Derivations:
    """The derivations that are encoded by choices.

    Args:
        tables: The grammar.
        tokens: Indices into the grammar's tokens, all strings end to end.
        starts: String i is ``tokens[starts[i]:starts[i + 1]]``.
        choices: Alternatives chosen at each nonterminal, breadth first.
        choice_starts: Choices of string i are ``choices[choice_starts[i]:choice_starts[i + 1]]``.
    """
    return Derivations(*_derive(tables, tokens, starts, choices, choice_starts))


@compiled_within
def expand(symbol, level, state, tables, rows, tokens, choices):  # type: ignore[no-untyped-def]
    """Draw a string from a symbol.

    Args:
        symbol: The symbol.
        level: Its level, from 0.
        state: State of the random stream.
        tables: The grammar.
        rows: Work space of two rows, each for the longest string and one more right-hand side.
        tokens: Receives the tokens; has room for the longest string.
        choices: Receives the choices; has room for the largest derivation, or none to drop them.

    Returns:
        The new state, the number of tokens and the number of choices.
    """
    rule_starts, n_children, children = tables.rule_starts, tables.n_children, tables.children
    first_terminal, most_children = tables.level_starts[-2], children.shape[1]
    rows[0, 0] = symbol
    n, n_choices, side, keeps = 1, 0, 0, len(choices) > 0
    for _ in range(level, len(tables.level_starts) - 2):
        above, below_it = rows[side], rows[1 - side]
        n_below = 0
        for k in range(n):
            begin = rule_starts[above[k]]
            state, bits = next_bits(state)
            choice = below(bits, rule_starts[above[k] + 1] - begin)
            if keeps:
                choices[n_choices] = choice
                n_choices += 1
            # Three children are always copied, whatever the length of the rule: a branch on the
            # length would often be mispredicted. Surplus ones are overwritten next.
            # Written out, because a loop over three is slower.
            below_it[n_below] = children[begin + choice, 0]
            below_it[n_below + 1] = children[begin + choice, 1]
            below_it[n_below + 2] = children[begin + choice, 2]
            for c in range(3, most_children):
                below_it[n_below + c] = children[begin + choice, c]
            n_below += n_children[begin + choice]
        n, side = n_below, 1 - side
    for k in range(n):
        tokens[k] = rows[side, k] - first_terminal
        if not tables.is_plain:
            state, bits = next_bits(state)
            cumulative = tables.cumulative[tokens[k]]
            tokens[k] = np.searchsorted(cumulative, unit(bits), side="right")
    return state, n, n_choices


@compiled
def _sample(tables, key, first, n_strings, keeps):  # type: ignore[no-untyped-def]
    """Tokens and choices of all strings, each with the starts of the strings.

    Args:
        tables: The grammar.
        key: Key of the random streams.
        first: Number of the first string.
        n_strings: Number of strings.
        keeps: Whether to record choices.
    """
    longest, most_choices = tables.longest[0], tables.most_choices[0] if keeps else 0
    starts = np.zeros(n_strings + 1, dtype=np.int64)
    choice_starts = np.zeros(n_strings + 1, dtype=np.int64)
    tokens = np.empty(longest, dtype=np.int32)
    choices = np.empty(most_choices, dtype=np.int32)
    rows = np.empty((2, longest + tables.children.shape[1]), dtype=np.int64)
    for i in range(n_strings):
        # Room for the longest string is made before each: `expand` writes without checks.
        tokens = grown(tokens, starts[i], longest)
        choices = grown(choices, choice_starts[i], most_choices)
        state = stream_of(key, first + i)
        rest = tokens[starts[i] :], choices[choice_starts[i] :]
        _, n, n_choices = expand(0, 0, state, tables, rows, *rest)
        starts[i + 1] = starts[i] + n
        choice_starts[i + 1] = choice_starts[i] + n_choices
    return tokens[: starts[-1]], starts, choices[: choice_starts[-1]], choice_starts


@compiled
def _derive(tables, tokens, starts, choices, choice_starts):  # type: ignore[no-untyped-def]
    """Replay each derivation top down, then propagate the ends of subtrees bottom up.

    Args:
        tables: The grammar.
        tokens: Indices into the grammar's tokens, all strings end to end.
        starts: String i is ``tokens[starts[i]:starts[i + 1]]``.
        choices: Alternatives chosen at each nonterminal, breadth first.
        choice_starts: Choices of string i are ``choices[choice_starts[i]:choice_starts[i + 1]]``.

    Returns:
        The fields of `Derivations`.
    """
    n_levels, n_tokens = len(tables.level_starts) - 1, len(tokens)
    first_terminal = tables.level_starts[-2]
    ancestors = np.empty((n_levels, n_tokens), dtype=np.int32)
    subtrees = np.empty((n_levels, n_tokens), dtype=np.int32)
    is_boundary = np.zeros((n_levels, n_tokens), dtype=np.bool_)
    log_probability = np.zeros(len(starts) - 1)
    log_choices = np.log((tables.rule_starts[1:] - tables.rule_starts[:-1]).astype(np.float64))
    log_emissions = np.log(tables.emissions)
    nodes = np.empty(tables.most_choices[0] + tables.longest[0] + 1, dtype=np.int64)
    n_below = np.empty(len(nodes), dtype=np.int64)
    level_starts = np.zeros(n_levels + 1, dtype=np.int64)
    ends = np.empty((2, tables.longest[0] + 1), dtype=np.int64)
    for i in range(len(starts) - 1):
        first, last = starts[i], starts[i + 1]
        own = choices[choice_starts[i] : choice_starts[i + 1]]
        n_nodes, logs = _replay(tables, own, log_choices, nodes, n_below, level_starts)
        for k in range(n_nodes - level_starts[n_levels - 1]):
            terminal = nodes[level_starts[n_levels - 1] + k] - first_terminal
            logs += log_emissions[terminal, tokens[first + k]]
        log_probability[i] = logs
        marks = (ancestors[:, first:last], subtrees[:, first:last], is_boundary[:, first:last])
        _mark_subtrees(tables, nodes, n_below, level_starts, ends, marks)
    return ancestors, subtrees, is_boundary, log_probability


@compiled_within
def _replay(tables, choices, log_choices, nodes, n_below, level_starts):  # type: ignore[no-untyped-def]
    """Write the nodes of a derivation; returns their number and the log-probability of its choices.

    Args:
        tables: The grammar.
        choices: Alternatives chosen at each nonterminal, breadth first.
        log_choices: Log of the number of alternatives of each symbol.
        nodes: Room for the symbols, breadth first.
        n_below: Room for the number of children of each.
        level_starts: Room for where each level begins among the nodes.
    """
    # Nodes of a tree in breadth-first order, the order of its choices: choice k is node k's.
    nodes[0], n_nodes, level_starts[1] = 0, 1, 1
    log_probability = 0.0
    for level in range(len(level_starts) - 2):
        for k in range(level_starts[level], level_starts[level + 1]):
            log_probability -= log_choices[nodes[k]]
            rule = tables.rule_starts[nodes[k]] + choices[k]
            n_below[k] = tables.n_children[rule]
            for c in range(n_below[k]):
                nodes[n_nodes + c] = tables.children[rule, c]
            n_nodes += n_below[k]
        level_starts[level + 2] = n_nodes
    return n_nodes, log_probability


@compiled_within
def _mark_subtrees(tables, nodes, n_below, level_starts, ends, marks):  # type: ignore[no-untyped-def]
    """Write each token's ancestors, its subtrees and their ends, level by level.

    Args:
        tables: The grammar.
        nodes: Symbols of the derivation, breadth first.
        n_below: Number of children of each.
        level_starts: Where each level begins among the nodes.
        ends: Room for two rows of subtree ends.
        marks: The string's part of ancestors, subtrees and boundaries.
    """
    ancestors, subtrees, is_boundary = marks
    n_levels, n_tokens = ancestors.shape
    for k in range(n_tokens):
        ends[0, k] = k + 1
    # A subtree ends where its last child ends. Two rows of ends take turns, one of the level and
    # one of the level below.
    side = 0
    for level in range(n_levels - 1, -1, -1):
        if level < n_levels - 1:
            n_seen = 0
            for k in range(level_starts[level], level_starts[level + 1]):
                n_seen += n_below[k]
                ends[1 - side, k - level_starts[level]] = ends[side, n_seen - 1]
            side = 1 - side
        begin = 0
        for number in range(level_starts[level + 1] - level_starts[level]):
            name, end = tables.symbols[nodes[level_starts[level] + number]], ends[side, number]
            for t in range(begin, end):
                ancestors[level, t] = name
                subtrees[level, t] = number
            is_boundary[level, end - 1] = True
            begin = end
