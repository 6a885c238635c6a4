"""Corrupted strings, aligned with the clean strings that they are made from."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Int64

from physlm.data.cfg.derivation import Strings
from physlm.data.cfg.grammar import Grammar
from physlm.data.cfg.sampling import expand
from physlm.data.compilation import compiled
from physlm.data.growing import grown
from physlm.data.splitmix import below, next_bits, stream_of, unit
from physlm.schema import converted


class CorruptionKind(str, Enum):
    """The kind of replacement.

    ``terminal``: a token becomes any token. ``nonterminal``: a symbol one level above the terminals
    becomes any symbol of its level, which derives new tokens. ``nonterminal_fixed``: such a symbol
    always becomes the next one of its level.
    """

    terminal = "terminal"
    nonterminal = "nonterminal"
    nonterminal_fixed = "nonterminal_fixed"


@dataclass(frozen=True, slots=True)
class Corrupted:
    """Corrupted strings.

    Attributes:
        strings: The strings with errors.
        n_meant: The number of clean tokens that the string up to each position stands for; -1
            inside the tokens of one symbol, where this is undefined.
    """

    strings: Strings
    n_meant: Int64[np.ndarray, " positions"]


def corrupt(
    grammar: Grammar, strings: Strings, kind: CorruptionKind, rate: float, key: int, first: int = 0
) -> Corrupted:
    """Replace each token or symbol with probability ``rate``.

    Args:
        grammar: The grammar of the strings.
        strings: Clean strings, with derivations if nonterminals are replaced.
        kind: The kind of replacement.
        rate: Probability of a replacement.
        key: Key of the random streams; string i has the stream ``first + i``.
        first: Number of the first string.

    Raises:
        ValueError: If nonterminals are replaced and strings have no derivations, or the grammar has
            no level between root and terminals.

    Source:
        Physics of Language Models, Part 1, results 11 to 13.
    """
    places = strings.places(grammar.tables.tokens)
    kind = converted(kind, CorruptionKind, "kind")
    if kind is CorruptionKind.terminal:
        replaced = _replace_tokens(
            places, strings.starts, len(grammar.tokens), rate, np.uint64(key), first
        )
        positions = np.arange(1, len(places) + 1) - np.repeat(strings.starts[:-1], strings.lengths)
        return Corrupted(Strings(grammar.tables.tokens[replaced], strings.starts), positions)
    if strings.derivations is None or len(grammar.levels) < 3:
        raise ValueError(
            f"kind={kind.value} replaces symbols between root and terminals, so it needs a grammar "
            "of at least 3 levels and strings with derivations; use terminal"
        )
    symbols = np.searchsorted(grammar.levels[-2], strings.derivations.ancestors[-2])
    tokens, starts, n_meant = _replace_symbols(
        places,
        strings.starts,
        symbols,
        np.ascontiguousarray(strings.derivations.is_boundary[-2]),
        grammar.tables,
        kind is CorruptionKind.nonterminal_fixed,
        rate,
        np.uint64(key),
        first,
    )
    return Corrupted(Strings(grammar.tables.tokens[tokens], starts), n_meant)


@compiled
def _replace_tokens(tokens, starts, n_tokens, rate, key, first):  # type: ignore[no-untyped-def]
    """Replace each token, with probability ``rate``, by one below ``n_tokens``."""
    out = tokens.copy()
    for i in range(len(starts) - 1):
        # A stream for each string: any part of an epoch is corrupted as in the whole.
        state = stream_of(key, first + i)
        for t in range(starts[i], starts[i + 1]):
            state, bits = next_bits(state)
            if unit(bits) < rate:
                state, bits = next_bits(state)
                out[t] = below(bits, n_tokens)
    return out


@compiled
def _replace_symbols(tokens, starts, symbols, is_boundary, tables, is_fixed, rate, key, first):  # type: ignore[no-untyped-def]
    """Replace symbols of the level above the terminals, each with all of its tokens.

    Args:
        tokens: Indices into the grammar's tokens, all strings end to end.
        starts: String i is ``tokens[starts[i]:starts[i + 1]]``.
        symbols: Symbol of each position, as an index into the level.
        is_boundary: Whether the symbol's tokens end at this position.
        tables: The grammar.
        is_fixed: Whether the new symbol is the next one of the level.
        rate: Probability of a replacement.
        key: Key of the random streams.
        first: Number of the first string.

    Returns:
        Tokens, starts, and ``n_meant`` of `Corrupted`.
    """
    level = len(tables.level_starts) - 3
    first_symbol = tables.level_starts[level]
    n_symbols = tables.level_starts[level + 1] - first_symbol
    longest = tables.longest[first_symbol : first_symbol + n_symbols].max()
    rows = np.empty((2, longest + tables.children.shape[1]), dtype=np.int64)
    no_choices = np.empty(0, dtype=np.int32)
    out = np.empty(len(tokens) + longest, dtype=np.int32)
    n_meant = np.empty(len(tokens) + longest, dtype=np.int64)
    out_starts = np.zeros(len(starts), dtype=np.int64)
    for i in range(len(starts) - 1):
        state, begin, n = stream_of(key, first + i), starts[i], out_starts[i]
        for t in range(starts[i], starts[i + 1]):
            if not is_boundary[t]:
                continue
            # Kept and replaced symbols may differ in length, so the output grows as needed.
            n_new = t + 1 - begin
            out = grown(out, n, max(n_new, longest))
            n_meant = grown(n_meant, n, max(n_new, longest))
            state, bits = next_bits(state)
            if unit(bits) < rate:
                state, bits = next_bits(state)
                other = (symbols[t] + 1) % n_symbols if is_fixed else below(bits, n_symbols)
                state, n_new, _ = expand(
                    first_symbol + other, level, state, tables, rows, out[n:], no_choices
                )
            else:
                for k in range(n_new):
                    out[n + k] = tokens[begin + k]
            n_meant[n : n + n_new] = -1
            n += n_new
            n_meant[n - 1] = t + 1 - starts[i]
            begin = t + 1
        out_starts[i + 1] = n
    return out[: out_starts[-1]], out_starts, n_meant[: out_starts[-1]]
