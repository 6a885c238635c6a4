"""A grammar: its strings, and every exact answer about them."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from physlm.data.cfg import notation, statistics
from physlm.data.cfg.completion import endings
from physlm.data.cfg.derivation import Strings, Tokens
from physlm.data.cfg.formats import to_nltk, to_text
from physlm.data.cfg.parsing import anatomy, best_choices, n_derivations, whole_strings
from physlm.data.cfg.rules import Bags, Rules
from physlm.data.cfg.sampling import derive, sample
from physlm.data.cfg.spans import (
    Spans,
    Weights,
    counts,
    forward,
    inside,
    probabilities,
    root_weights,
)
from physlm.data.cfg.tables import Tables, tables

if TYPE_CHECKING:
    import nltk

_MOST_EXACT = 2.0**53  # from there on floats do not hold every whole number


class Estimate(NamedTuple):
    """A mean over drawn strings, and its standard error."""

    value: float
    stderr: float


class Faults(NamedTuple):
    """Where strings leave the language.

    Attributes:
        n_sound: How many tokens of each string begin a string of the grammar; the token at that
            place is the first wrong one, or it is the string's end that is wrong.
        broken_level: The level of the constituent broken there, from 1 for the root; 0 for strings
            of the grammar. It is the deepest level that the string, read as any sequence of that
            level's constituents, still leaves at the same place.
    """

    n_sound: Int64[np.ndarray, " strings"]
    broken_level: Int64[np.ndarray, " strings"]


Documents = Strings | Iterable[Tokens]


@dataclass(frozen=True)
class Grammar:
    """A context-free grammar of levels, as in "Physics of Language Models, Part 1".

    Each alternative of a symbol is equally likely. A terminal is its own token, or becomes one out
    of its bag (an implicit grammar). Strings are sequences of tokens, the grammar's own numbers.

    Attributes:
        rules: The rules.
        bags: For terminals with a bag, the weights of their tokens.

    Raises:
        ValueError: If a bag is of no terminal, empty, or has a weight that is not above 0.
    """

    rules: Rules
    bags: Bags = field(default_factory=dict)

    def __post_init__(self) -> None:
        for terminal, bag in self.bags.items():
            if terminal not in self.rules.terminals:
                raise ValueError(f"the bag of {terminal} is of no terminal of the grammar")
            if not bag or not all(0 < weight < math.inf for weight in bag.values()):
                raise ValueError(f"the bag of terminal {terminal} needs tokens of weight above 0")

    @cached_property
    def tables(self) -> Tables:
        """The grammar as arrays."""
        return tables(self.rules, self.bags)

    @property
    def tokens(self) -> tuple[int, ...]:
        """The tokens of strings, in ascending order."""
        return tuple(self.tables.tokens.tolist())

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The symbols of each level, root first."""
        return self.rules.levels

    def subgrammar(self, root: int | str) -> "Grammar":
        """The language of one symbol, given by number or name; all symbols keep their numbers."""
        rules = self.rules.reachable_from(root)
        return Grammar(rules, {t: bag for t, bag in self.bags.items() if t in rules.terminals})

    def to_nltk(self) -> "nltk.CFG":
        """The rules for nltk, without bags."""
        return to_nltk(self.rules)

    def to_text(self) -> str:
        """The rules as they stand in a file, without bags."""
        return to_text(self.rules)

    def read(self, text: str) -> Int64[np.ndarray, " tokens"]:
        """The tokens of a string that is written in the names of terminals, as in a grammar's file.

        Raises:
            ValueError: If a word is no token's name.
        """
        tokens = {self.rules.name(token): token for token in self.tokens}
        words = notation.symbols(text)
        if unknown := [word for word in words if word not in tokens]:
            known = ", ".join(itertools.islice(tokens, 20))
            raise ValueError(f"{unknown[0]} is no token of the grammar; there are {known}")
        return np.array([tokens[word] for word in words], dtype=np.int64)

    def written(self, tokens: Tokens) -> str:
        """A string in the names of terminals, as `read` reads it."""
        return " ".join(notation.written(self.rules.name(int(token))) for token in tokens)

    # What strings there are.

    @cached_property
    def length_distribution(self) -> Float64[np.ndarray, " longest_1"]:
        """Probability of every length, from 0 on; exact."""
        return statistics.length_distribution(self.rules)

    @property
    def mean_length(self) -> float:
        """Expected tokens of a string."""
        return float(self.length_distribution @ np.arange(len(self.length_distribution)))

    @property
    def longest(self) -> int:
        """Tokens of the longest string."""
        return int(self.tables.longest[0])

    @cached_property
    def derivation_entropy_bits(self) -> float:
        """Entropy of a derivation, tokens included; exact."""
        return statistics.derivation_entropy_bits(self.rules, self.tables)

    def ambiguity_bits(self, n_strings: int, rng: np.random.Generator) -> Estimate:
        """Bits by which a string's derivation is unknown once the string is known."""
        strings = self.sample(rng, n_strings, derivations=True)
        assert strings.derivations is not None
        nats = self.log_probabilities(strings) - strings.derivations.log_probability
        return _mean(nats / math.log(2))

    def string_entropy_bits(self, n_strings: int, rng: np.random.Generator) -> Estimate:
        """Entropy of a string: that of its derivation, less the ambiguity."""
        ambiguity = self.ambiguity_bits(n_strings, rng)
        return Estimate(self.derivation_entropy_bits - ambiguity.value, ambiguity.stderr)

    def floor_nats_per_token(self, n_strings: int, rng: np.random.Generator) -> Estimate:
        """The least loss of any model per token, where a string's end counts as a token.

        Only the ambiguity is estimated, from ``n_strings``; all else is exact.
        """
        entropy = self.string_entropy_bits(n_strings, rng)
        per_token = math.log(2) / (self.mean_length + 1)
        return Estimate(entropy.value * per_token, entropy.stderr * per_token)

    @property
    def description_bits(self) -> float:
        """Bits to write the rules down, given the sizes of the levels."""
        return statistics.description_bits(self.rules)

    # Drawing them.

    def sample(self, rng: np.random.Generator, n: int, derivations: bool = False) -> Strings:  # noqa: FBT001, FBT002
        """Draw strings, with how they were derived if asked."""
        return self.numbered(int(rng.integers(2**63)), 0, n, derivations=derivations)

    def numbered(self, key: int, first: int, n: int, *, derivations: bool = False) -> Strings:
        """Strings ``first`` to ``first + n - 1`` of an endless list of draws, one list per key.

        Raises:
            ValueError: If ``n`` is below 0.
        """
        if n < 0:
            raise ValueError(f"n={n}; must be at least 0")
        return sample(self.tables, key, first, n, has_derivations=derivations)

    def completions(self, tokens: Tokens, rng: np.random.Generator, n: int) -> Strings:
        """Draw what follows a beginning, from the true conditional distribution.

        Raises:
            ValueError: If no string begins so.
        """
        places = self._places(tokens)
        spans, expected, next_weights = self._expected(places)
        self._require_sound(places, next_weights)
        key = np.uint64(rng.integers(2**63))
        drawn, starts = endings(
            len(places),
            self.tables,
            self._weights.rules,
            spans,
            expected,
            next_weights[-1, 0],
            key,
            n,
        )
        return Strings(self.tables.tokens[drawn], starts)

    # Exact answers.

    def accepts(self, tokens: Tokens) -> bool:
        """Whether the string is in the language.

        Raises:
            ValueError: If a token is not of the grammar.
        """
        return bool(self.accepts_batch([tokens])[0])

    def accepts_batch(self, documents: Documents) -> Bool[np.ndarray, " strings"]:
        """Whether each string is in the language."""
        places, starts = self._all_places(documents)
        is_derived: np.ndarray = whole_strings(places, starts, self.tables, self._weights)[0]
        return is_derived

    def log_probability(self, tokens: Tokens) -> float:
        """Natural logarithm of a string's probability, over all derivations; -inf if it has none.

        Raises:
            ValueError: If a token is not of the grammar.
        """
        return float(self.log_probabilities([tokens])[0])

    def log_probabilities(self, documents: Documents) -> Float64[np.ndarray, " strings"]:
        """The same for each string."""
        places, starts = self._all_places(documents)
        is_derived, weights = whole_strings(places, starts, self.tables, self._weights)
        logarithms = np.full(len(weights), -math.inf)
        logarithms[is_derived] = np.log(weights[is_derived])
        logarithms -= np.diff(starts) * math.log(self.scale)
        return logarithms

    def n_parses(self, tokens: Tokens) -> int:
        """How many derivations a string has.

        Raises:
            ValueError: If a token is not of the grammar.
        """
        places = self._places(tokens)
        spans = Spans(*inside(places, self.tables, counts(self.tables)))
        found = root_weights(spans, len(places))[-1]
        return int(found) if found < _MOST_EXACT else n_derivations(len(places), self.tables, spans)

    def next_token_distribution(
        self, tokens: Tokens
    ) -> Float64[np.ndarray, "tokens_1 vocabulary_1"]:
        """What comes next, after each beginning of a string.

        Returns:
            Row m holds the probabilities given the first m tokens. Its first column is the
            string's end, the others are the grammar's tokens in ascending order.

        Raises:
            ValueError: If a token is not of the grammar, or at some position no string goes on so.
        """
        places = self._places(tokens)
        weights = self._expected(places).next_weights
        self._require_sound(places, weights)
        weights /= weights.sum(axis=1, keepdims=True)
        return weights

    def longest_valid_prefix(self, tokens: Tokens) -> int:
        """How many tokens of a string begin some string of the language.

        Raises:
            ValueError: If a token is not of the grammar.
        """
        return _n_sound(self._expected(self._places(tokens)).next_weights)

    def faults(self, documents: Documents) -> Faults:
        """Where strings leave the language, and on which level."""
        return Faults(*anatomy(*self._all_places(documents), self.tables, self._weights))

    def parse(self, tokens: Tokens) -> Strings:
        """The string with its most probable derivation, or one of them.

        Raises:
            ValueError: If the string is not in the language.
        """
        return self.parse_batch([tokens])

    def parse_batch(self, documents: Documents) -> Strings:
        """The strings with their most probable derivations.

        Raises:
            ValueError: Naming the first string that is not in the language.
        """
        places, starts = self._all_places(documents)
        is_derived = whole_strings(places, starts, self.tables, self._weights)[0]
        if not is_derived.all():
            raise ValueError(f"string {is_derived.argmin()} is not in the language of the grammar")
        best = probabilities(self.tables, self.scale, is_best=True)
        choices = []
        for start, end in itertools.pairwise(starts):
            spans = inside(places[start:end], self.tables, best)
            choices.append(best_choices(end - start, self.tables, best, spans))
        choice_starts = np.concatenate([[0], np.cumsum([len(row) for row in choices])])
        derivations = derive(self.tables, places, starts, np.concatenate(choices), choice_starts)
        return Strings(self.tables.tokens[places], starts, derivations)

    # How they are found.

    @cached_property
    def scale(self) -> float:
        """A factor for every token that keeps the weight of a typical string near 1."""
        return math.exp(self.derivation_entropy_bits * math.log(2) / self.mean_length)

    @cached_property
    def _weights(self) -> Weights:
        return probabilities(self.tables, self.scale)

    def _expected(self, places: np.ndarray) -> "_Expected":
        spans = Spans(*inside(places, self.tables, self._weights))
        seeds = np.zeros((1, len(places) + 1))
        seeds[0, 0] = 1.0
        symbols = forward(len(places), self.tables, self._weights.rules, spans, seeds, 0)
        next_weights = np.empty((len(places) + 1, 1 + len(self.tokens)))
        next_weights[:, 0] = root_weights(spans, len(places))
        next_weights[:, 1:] = symbols[self.tables.level_starts[-2] :].T @ self.tables.emissions
        return _Expected(spans, symbols, next_weights)

    def _require_sound(self, places: np.ndarray, next_weights: np.ndarray) -> None:
        position = _n_sound(next_weights)
        if position < len(places):
            token = self.tables.tokens[places[position]]
            raise ValueError(f"token {token} at position {position} continues no string so far")

    def _places(self, tokens: Tokens) -> np.ndarray:
        return self._all_places([tokens])[0]

    def _all_places(self, documents: Documents) -> tuple[np.ndarray, np.ndarray]:
        """Tokens as places among the grammar's, and where strings start."""
        strings = documents if isinstance(documents, Strings) else Strings.of(documents)
        return strings.places(self.tables.tokens), strings.starts


class _Expected(NamedTuple):
    """What a string lets one expect.

    Attributes:
        spans: The string's constituents.
        symbols: Weight with which each symbol begins at each position.
        next_weights: Weight of a string's end and of each token after each beginning.
    """

    spans: Spans
    symbols: Float64[np.ndarray, "symbols tokens_1"]
    next_weights: Float64[np.ndarray, "tokens_1 vocabulary_1"]


def _n_sound(next_weights: Float64[np.ndarray, "tokens_1 vocabulary_1"]) -> int:
    """How many tokens begin a string: as many as something can follow."""
    return int((next_weights.sum(axis=1) > 0).sum()) - 1


def _mean(values: Float64[np.ndarray, " n"]) -> Estimate:
    if len(values) < 2:
        raise ValueError(f"n_strings={len(values)}; a standard error needs at least 2")
    return Estimate(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))
