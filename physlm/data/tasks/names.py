"""Names of tokens, sizes of documents, and the distributions of both, in compiled code."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from physlm.data.compilation import compiled_within
from physlm.data.splitmix import below, next_bits, unit

SMALLEST = 3  # minimum size of a document: its number of names or vertices
Name = tuple[int, ...]  # tokens


class NameLaw(NamedTuple):
    """How names are drawn: a uniform length, then uniform symbols.

    The last symbol of a name is from a second alphabet, so that names delimit themselves. Names of
    one token need no first alphabet.

    Attributes:
        shortest: Tokens of the shortest name.
        longest: Tokens of the longest name.
        n_symbols: Symbols of each alphabet.
    """

    shortest: int
    longest: int
    n_symbols: int

    @property
    def n_names(self) -> int:
        """Number of possible names."""
        return sum(self.n_symbols**n for n in range(self.shortest, self.longest + 1))

    @property
    def last(self) -> int:
        """Token of the first symbol that ends a name."""
        return self.n_symbols if self.longest > 1 else 0

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens of names: ``b7`` within a name, ``e7`` at its end."""
        numbers = range(1, self.n_symbols + 1)
        within = [f"b{number}" for number in numbers] if self.longest > 1 else []
        return (*within, *(f"e{number}" for number in numbers))

    def validate(self, n_max: int) -> None:
        """Require lengths in order, and at least ``n_max`` names, but not too many to number.

        Raises:
            ValueError: If a value is out of range.
        """
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(
                f"shortest_name={self.shortest} with longest_name={self.longest}; must be at least "
                "1, and at most longest_name"
            )
        if self.n_symbols < 1:
            raise ValueError(f"n_symbols={self.n_symbols}; must be at least 1")
        if self.n_names < n_max:
            raise ValueError(
                f"n_symbols={self.n_symbols} makes {self.n_names} names of {self.shortest} to "
                f"{self.longest} tokens, but n_max={n_max} needs more; raise it or longest_name"
            )
        if (self.n_symbols + 1) ** self.longest >= 2**62:
            raise ValueError(
                f"n_symbols={self.n_symbols} makes too many names of up to {self.longest} tokens; "
                "lower it or longest_name"
            )


def size_law(n_max: int) -> Float64[np.ndarray, " sizes"]:
    """Probability of each size n from 3 to N = ``n_max``, proportional to 1/(n + sqrt(N)).

    Source:
        Physics of Language Models, Part 4.1, appendix on the tasks.
    """
    weights = 1 / (np.arange(SMALLEST, n_max + 1) + math.sqrt(n_max))
    law: np.ndarray = weights / weights.sum()
    return law


def cumulative_sizes(n_max: int, fixed: int | None) -> Float64[np.ndarray, " sizes"]:
    """The cumulative size law, or that of one size alone."""
    law = size_law(n_max)
    if fixed is not None:
        law = (np.arange(SMALLEST, n_max + 1) == fixed).astype(np.float64)
    cumulative = np.cumsum(law)
    cumulative[cumulative > 1 - 1e-12] = 1.0  # the last sum stands for 1, which rounding may miss
    return cumulative


@compiled_within
def drawn_size(state, cumulative):  # type: ignore[no-untyped-def]
    """The new state and a drawn size."""
    state, bits = next_bits(state)
    drawn, n = unit(bits), 0
    # A loop: compiling NumPy's search takes longer than all the searching.
    while cumulative[n] <= drawn:
        n += 1
    return state, SMALLEST + n


@compiled_within
def shuffle(state, items, n):  # type: ignore[no-untyped-def]
    """Shuffle the first ``n`` items in place; returns the new state.

    Source:
        Durstenfeld (1964), Algorithm 235: random permutation.
    """
    for i in range(n - 1, 0, -1):
        state, bits = next_bits(state)
        j = below(bits, i + 1)
        items[i], items[j] = items[j], items[i]
    return state


@compiled_within
def draw_names(state, n, law, names, lengths, codes):  # type: ignore[no-untyped-def]
    """Draw names until ``n`` distinct ones exist; returns the new state.

    Args:
        state: State of the random stream.
        n: Number of names.
        law: The three numbers of a `NameLaw`, and its last.
        names: Receives the tokens of each name.
        lengths: Receives the number of tokens of each name.
        codes: Room for a number of each name.
    """
    shortest, longest, n_symbols, last = law
    n_drawn = 0
    while n_drawn < n:
        state, bits = next_bits(state)
        length = shortest + below(bits, longest - shortest + 1)
        # Digits of base n_symbols + 1 without 0: names of different lengths have different codes.
        code = 0
        for t in range(length):
            state, bits = next_bits(state)
            symbol = below(bits, n_symbols)
            names[n_drawn, t] = symbol
            code = code * (n_symbols + 1) + symbol + 1
        names[n_drawn, length - 1] += last
        lengths[n_drawn] = length
        n_equal = 0
        for i in range(n_drawn):
            n_equal += codes[i] == code
        codes[n_drawn] = code
        if n_equal == 0:
            n_drawn += 1
    return state


@compiled_within
def write_name(tokens, at, names, lengths, i):  # type: ignore[no-untyped-def]
    """Write name ``i`` into tokens at a place; returns the place after it."""
    for t in range(lengths[i]):
        tokens[at + t] = names[i, t]
    return at + lengths[i]


def split_names(tokens: np.ndarray, law: NameLaw) -> list[Name] | None:
    """Tokens split into names; None if they do not form whole names."""
    names, own = [], []
    for token in tokens.tolist():
        if not 0 <= token < law.last + law.n_symbols:
            return None
        own.append(token)
        if token >= law.last:
            names.append(tuple(own))
            own = []
    return None if own else names
