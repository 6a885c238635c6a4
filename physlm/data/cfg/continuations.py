"""Continuations of the prefixes of a string: which symbols and tokens can come next."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int32, Int64

from physlm.data.cfg.completion import completions
from physlm.data.cfg.spans import Spans, Weights, forward, inside, root_weights
from physlm.data.cfg.tables import Tables


class Continuations(NamedTuple):
    """Weights of everything that can follow each prefix of a string.

    Attributes:
        places: The string, as indices into the grammar's tokens.
        tokens: The grammar's tokens.
        spans: Constituents of the string.
        symbols: Weight with which each symbol begins at each position.
        next_weights: Weight of the end of the string (first column) and of each token, after each
            prefix.
    """

    places: Int64[np.ndarray, " positions"]
    tokens: Int32[np.ndarray, " tokens"]
    spans: Spans
    symbols: Float64[np.ndarray, "symbols positions_1"]
    next_weights: Float64[np.ndarray, "positions_1 tokens_1"]

    @classmethod
    def of(cls, places: np.ndarray, tables: Tables, weights: Weights) -> "Continuations":
        """The continuations of all prefixes of one string."""
        n = len(places)
        spans: Spans = inside(places, tables, weights)
        seeds = np.zeros((1, n + 1))
        seeds[0, 0] = 1.0
        symbols = forward(n, tables, weights.rules, spans, seeds, 0)
        next_weights = np.empty((n + 1, 1 + len(tables.tokens)))
        next_weights[:, 0] = root_weights(spans, n)
        next_weights[:, 1:] = symbols[tables.level_starts[-2] :].T @ tables.emissions
        return cls(places, tables.tokens, spans, symbols, next_weights)

    @property
    def n_valid(self) -> int:
        """Length of the longest prefix that begins some string of the language."""
        return int((self.next_weights.sum(axis=1) > 0).sum()) - 1

    def drawn(
        self, tables: Tables, rule_weights: np.ndarray, key: int, n: int
    ) -> tuple[Int32[np.ndarray, " tokens"], Int64[np.ndarray, " starts"]]:
        """Tokens and starts of ``n`` completions of the whole string, drawn by their probability.

        Args:
            tables: The grammar.
            rule_weights: Weight of every rule, as in ``weights.rules``.
            key: Key of the random streams.
            n: Number of completions.
        """
        drawn, starts = completions(
            len(self.places),
            tables,
            rule_weights,
            self.spans,
            self.symbols,
            self.next_weights[-1, 0],
            np.uint64(key),
            n,
        )
        return self.tokens[drawn], starts

    def require_valid_prefix(self) -> None:
        """Require that the whole string begins some string of the language.

        Raises:
            ValueError: If it does not; names the first token that cannot follow those before it.
        """
        position = self.n_valid
        if position < len(self.places):
            token = self.tokens[self.places[position]]
            raise ValueError(
                f"token {token} at position {position} continues no string of the language; give "
                f"the first {position} tokens at most"
            )
