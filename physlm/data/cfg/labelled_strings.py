"""Strings of a grammar, each with a wrong string of the same length, which the grammar rejects."""

from collections.abc import Callable
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.cfg.derivation import Strings
from physlm.data.labelled import LabelledTexts, pairs, require_labelled_arguments
from physlm.data.rejection import collected, refused_versions
from physlm.rng import stream, stream_key

if TYPE_CHECKING:
    from physlm.data.cfg.corpus import CfgCorpus

_LEAST_STRINGS = 200  # in a block, so that symbols find others of their length
_MOST_DONORS = 20  # tried for one symbol

Span = tuple[int, int]


class Violation(str, Enum):
    """How a string is made wrong without a change of its length.

    ``terminal_swap``: two different tokens change places. ``subtree_swap``: the tokens of two
    different, equally long symbols of one level change places. ``symbol_replaced``: the tokens of a
    symbol become those of another, equally long symbol of its level from any string.
    ``token_replaced``: a token becomes another one.
    """

    terminal_swap = "terminal_swap"
    subtree_swap = "subtree_swap"
    symbol_replaced = "symbol_replaced"
    token_replaced = "token_replaced"  # noqa: S105 - a token of the language


VIOLATIONS = tuple(violation.value for violation in Violation)


def labelled_strings(
    corpus: "CfgCorpus", n_problems: int, corruption: str, n_errors: int
) -> LabelledTexts:
    """Fresh strings, each followed by a wrong version; see ``Labelled``.

    All changes of a string are on one level, drawn anew for each string, and touch different
    positions. The error position is where the longest prefix that begins a string of the language
    ends; the level is that of the constituent that breaks there (`Faults`).

    Args:
        corpus: The grammar.
        n_problems: Number of pairs.
        corruption: One of `VIOLATIONS`.
        n_errors: Number of changes of each wrong string.

    Raises:
        ValueError: If an argument is out of range, or too few strings allow ``n_errors`` changes.
    """
    require_labelled_arguments(n_problems, corruption, n_errors, VIOLATIONS)
    grammar, n = corpus.grammar, max(n_problems, _LEAST_STRINGS)
    key = stream_key(corpus.seed, "measured", "labelled")
    rng = stream(corpus.seed, "labelled", corruption, n_errors)

    def block(number: int) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        strings = grammar.numbered(key, number * n, n, derivations=True)
        changes = _Changes(strings, corpus.grammar.tokens, n_errors, rng)
        change = changes.of(Violation(corruption))
        wrong = refused_versions(
            n, lambda chosen: [change(i) for i in chosen.tolist()], grammar.accepts_batch
        )
        return list(strings), wrong

    what = f"corruption={corruption}, n_errors={n_errors}"
    valid, wrong = collected(n_problems, block, what)
    faults = grammar.faults(wrong)
    return pairs(
        [_document(corpus, string) for string in valid],
        [_document(corpus, string) for string in wrong],
        corruption,
        n_errors,
        error_position=faults.n_sound + 1,  # after the end-of-text that begins the document
        level=faults.broken_level,
    )


def _document(
    corpus: "CfgCorpus", string: Int32[np.ndarray, " tokens"]
) -> Int32[np.ndarray, " tokens_1"]:
    return np.concatenate([[corpus.vocabulary.eos], corpus.ids(string)]).astype(np.int32)


class _Changes:
    """Changes of the strings of a block.

    Attributes:
        strings: The strings, with derivations.
        tokens: All tokens of the grammar.
        n_errors: Changes of each string.
        rng: Draws the changes.
    """

    def __init__(
        self, strings: Strings, tokens: tuple[int, ...], n_errors: int, rng: np.random.Generator
    ) -> None:
        self.strings = strings
        self.tokens = np.array(tokens, dtype=np.int32)
        self.n_errors = n_errors
        self.rng = rng

    def of(self, violation: Violation) -> Callable[[int], np.ndarray | None]:
        """The function from a string's number to its wrong version, None if it has none."""
        return {
            Violation.terminal_swap: self._terminal_swap,
            Violation.subtree_swap: self._subtree_swap,
            Violation.symbol_replaced: self._symbol_replaced,
            Violation.token_replaced: self._token_replaced,
        }[violation]

    def _terminal_swap(self, i: int) -> np.ndarray | None:
        string = self.strings[i]
        spans = [(t, t + 1) for t in range(len(string))]
        return self._swapped(string, spans, string)

    def _subtree_swap(self, i: int) -> np.ndarray | None:
        for level in self._inner_levels():
            spans, symbols = level.nodes(i)
            if (found := self._swapped(self.strings[i], spans, symbols)) is not None:
                return found
        return None

    def _symbol_replaced(self, i: int) -> np.ndarray | None:
        for level in self._inner_levels():
            found = self.strings[i].copy()
            n_replaced = 0
            spans, symbols = level.nodes(i)
            for node in self.rng.permutation(len(spans)):
                place = slice(*spans[node])
                donor = level.donor(int(symbols[node]), found[place], self.rng)
                if donor is not None:
                    found[place] = donor
                    n_replaced += 1
                if n_replaced == self.n_errors:
                    return found
        return None

    def _token_replaced(self, i: int) -> np.ndarray | None:
        found = self.strings[i].copy()
        n = len(self.tokens)
        if n < 2 or len(found) < self.n_errors:
            return None
        chosen = self.rng.permutation(len(found))[: self.n_errors]
        places = np.searchsorted(self.tokens, found[chosen])
        found[chosen] = self.tokens[(places + self.rng.integers(1, n, self.n_errors)) % n]
        return found

    def _inner_levels(self) -> "list[_Level]":
        """The levels between root and terminals, in a random order."""
        order = self.rng.permutation(len(self._levels))
        return [self._levels[k] for k in order]

    @cached_property
    def _levels(self) -> "list[_Level]":
        assert self.strings.derivations is not None
        return [
            _Level(self.strings, k) for k in range(1, len(self.strings.derivations.ancestors) - 1)
        ]

    def _swapped(
        self, string: np.ndarray, spans: list[Span], symbols: np.ndarray
    ) -> np.ndarray | None:
        """The string with disjoint pairs of different, equally long symbols swapped."""
        found = string.copy()
        lengths = np.array([last - first for first, last in spans])
        is_free = np.ones(len(spans), dtype=bool)
        for _ in range(self.n_errors):
            pair = self._pair(string, spans, lengths, symbols, is_free)
            if pair is None:
                return None
            a, b = pair
            found[slice(*spans[a])] = string[slice(*spans[b])]
            found[slice(*spans[b])] = string[slice(*spans[a])]
            is_free[[a, b]] = False
        return found

    def _pair(
        self,
        string: np.ndarray,
        spans: list[Span],
        lengths: np.ndarray,
        symbols: np.ndarray,
        is_free: np.ndarray,
    ) -> tuple[int, int] | None:
        """Two free nodes with different symbols and tokens, equally long; None if there are none.

        Args:
            string: The tokens.
            spans: First and last position of each node, the last exclusive.
            lengths: Tokens of each node.
            symbols: Symbol of each node.
            is_free: Nodes that may be chosen.
        """
        for a in self.rng.permutation(np.flatnonzero(is_free)).tolist():
            others = is_free & (lengths == lengths[a]) & (symbols != symbols[a])
            for b in self.rng.permutation(np.flatnonzero(others)).tolist():
                if not np.array_equal(string[slice(*spans[a])], string[slice(*spans[b])]):
                    return a, b
        return None


class _Level:
    """All symbols of one level in the strings of a block.

    Args:
        strings: The strings, with derivations.
        row: Row of the level, from 0 for the root.
    """

    def __init__(self, strings: Strings, row: int) -> None:
        assert strings.derivations is not None
        self._strings = strings
        self._ends = np.flatnonzero(strings.derivations.is_boundary[row]) + 1
        self._begins = np.concatenate([[0], self._ends[:-1]])
        self._symbols = strings.derivations.ancestors[row, self._begins]
        self._firsts = np.searchsorted(self._begins, strings.starts)
        lengths = self._ends - self._begins
        self._of_length = {n: np.flatnonzero(lengths == n) for n in np.unique(lengths).tolist()}

    def nodes(self, i: int) -> tuple[list[Span], Int64[np.ndarray, " nodes"]]:
        """Spans within string i, and the symbols."""
        own = slice(self._firsts[i], self._firsts[i + 1])
        start = self._strings.starts[i]
        begins, ends = self._begins[own] - start, self._ends[own] - start
        return list(zip(begins.tolist(), ends.tolist(), strict=True)), self._symbols[own].astype(
            np.int64
        )

    def donor(
        self, symbol: int, tokens: np.ndarray, rng: np.random.Generator
    ) -> Int32[np.ndarray, " tokens"] | None:
        """Other tokens of the same length from another symbol; None if none is found."""
        equally_long = self._of_length[len(tokens)]
        for node in equally_long[rng.integers(len(equally_long), size=_MOST_DONORS)]:
            found = self._strings.tokens[self._begins[node] : self._ends[node]]
            if self._symbols[node] != symbol and not np.array_equal(found, tokens):
                return found
        return None
