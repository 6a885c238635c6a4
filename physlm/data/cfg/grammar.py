"""A context-free grammar: sampling, entropies, membership, probabilities and parses, all exact."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64, Int64

from physlm.data.cfg import notation, statistics
from physlm.data.cfg.continuations import Continuations
from physlm.data.cfg.derivation import Strings, Tokens
from physlm.data.cfg.formats import to_nltk, to_text
from physlm.data.cfg.parsing import (
    Faults,
    best_derivations,
    first_errors,
    n_derivations,
    whole_strings,
)
from physlm.data.cfg.rules import Bags, Rules
from physlm.data.cfg.sampling import sample
from physlm.data.cfg.spans import Weights, counts, inside, probabilities, root_weights
from physlm.data.cfg.statistics import Estimate, mean_of
from physlm.data.cfg.tables import Tables, tables

if TYPE_CHECKING:
    import nltk

_MOST_EXACT = 2.0**53  # floats above cannot hold every whole number


Documents = Strings | Iterable[Tokens]


@dataclass(frozen=True)
class Grammar:
    """A levelled context-free grammar, as in "Physics of Language Models, Part 1".

    Each alternative of a symbol is equally likely. A terminal is its own token or, in an implicit
    grammar, becomes a token drawn from its bag. Strings are sequences of the grammar's tokens.

    Attributes:
        rules: The rules.
        bags: Weights of the tokens of each terminal that has a bag.

    Raises:
        ValueError: If a bag belongs to no terminal, is empty, or has a weight that is not positive
            and finite.
    """

    rules: Rules
    bags: Bags = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = ", ".join(map(str, self.rules.terminals[:20]))
        for terminal, bag in self.bags.items():
            if terminal not in self.rules.terminals:
                raise ValueError(f"bag of {terminal}, which is not a terminal; use one of {known}")
            if not bag or not all(0 < weight < math.inf for weight in bag.values()):
                raise ValueError(
                    f"the bag of terminal {terminal} needs tokens with positive, finite weights"
                )

    def __repr__(self) -> str:
        """Sizes in one line; ``to_text`` has the rules."""
        return (
            f"Grammar({len(self.levels)} levels, {len(self.tokens)} tokens, strings of up to "
            f"{self.longest})"
        )

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
        """The grammar that starts from one symbol (a number or name); symbols keep their numbers.

        Raises:
            ValueError: If ``root`` is not a nonterminal.
        """
        rules = self.rules.reachable_from(root)
        return Grammar(rules, {t: bag for t, bag in self.bags.items() if t in rules.terminals})

    def to_nltk(self) -> "nltk.CFG":
        """The rules as an nltk grammar, without bags."""
        return to_nltk(self.rules)

    def to_text(self) -> str:
        """The rules in the notation of grammar files, without bags."""
        return to_text(self.rules)

    def read(self, text: str) -> Int64[np.ndarray, " tokens"]:
        """The tokens of a string written in the names of terminals.

        Raises:
            ValueError: If a word is not the name of a token.
        """
        tokens = {self.rules.name(token): token for token in self.tokens}
        words = notation.symbols(text)
        if unknown := [word for word in words if word not in tokens]:
            known = ", ".join(list(tokens)[:20])
            raise ValueError(f"{unknown[0]} is not a token of the grammar; use {known}")
        return np.array([tokens[word] for word in words], dtype=np.int64)

    def written(self, tokens: Tokens) -> str:
        """A string written in the names of terminals; `read` inverts it."""
        return " ".join(notation.written(self.rules.name(int(token))) for token in tokens)

    # Statistics of the language.

    @cached_property
    def length_distribution(self) -> Float64[np.ndarray, " longest_1"]:
        """Exact probability of every string length, from 0 on."""
        return statistics.length_distribution(self.rules)

    @property
    def mean_length(self) -> float:
        """Mean length of a string, in tokens."""
        return float(self.length_distribution @ np.arange(len(self.length_distribution)))

    @property
    def longest(self) -> int:
        """Length of the longest string, in tokens."""
        return int(self.tables.longest[0])

    @cached_property
    def derivation_entropy_bits(self) -> float:
        """Exact entropy of a derivation and its tokens."""
        return statistics.derivation_entropy_bits(self.rules, self.tables)

    def ambiguity_bits(self, n_strings: int, rng: np.random.Generator) -> Estimate:
        """Conditional entropy of the derivation given the string, estimated from samples."""
        strings = self.sample(rng, n_strings, derivations=True)
        assert strings.derivations is not None
        nats = self.log_probabilities(strings) - strings.derivations.log_probability
        return mean_of(nats / math.log(2))

    def string_entropy_bits(self, n_strings: int, rng: np.random.Generator) -> Estimate:
        """Entropy of a string: the entropy of its derivation minus the ambiguity."""
        ambiguity = self.ambiguity_bits(n_strings, rng)
        return Estimate(self.derivation_entropy_bits - ambiguity.value, ambiguity.stderr)

    def floor_nats_per_token(self, n_strings: int, rng: np.random.Generator) -> Estimate:
        """Lower bound of any model's loss per token, where the end of a string counts as a token.

        Only the ambiguity is estimated, from ``n_strings``; everything else is exact.
        """
        entropy = self.string_entropy_bits(n_strings, rng)
        per_token = math.log(2) / (self.mean_length + 1)
        return Estimate(entropy.value * per_token, entropy.stderr * per_token)

    @property
    def description_bits(self) -> float:
        """Description length of the rules, given the sizes of the levels."""
        return statistics.description_bits(self.rules)

    # Sampling.

    def sample(self, rng: np.random.Generator, n: int, derivations: bool = False) -> Strings:  # noqa: FBT001, FBT002
        """Draw strings, with their derivations on request."""
        return self.numbered(int(rng.integers(2**63)), 0, n, derivations=derivations)

    def numbered(self, key: int, first: int, n: int, *, derivations: bool = False) -> Strings:
        """Strings ``first`` to ``first + n - 1`` of the infinite sequence of draws of a key.

        Args:
            key: Chooses the sequence.
            first: Number of the first string.
            n: Number of strings.
            derivations: Whether to return derivations too.

        Raises:
            ValueError: If ``n`` is below 0.
        """
        if n < 0:
            raise ValueError(f"n={n}; must be at least 0")
        return sample(self.tables, key, first, n, has_derivations=derivations)

    def completions(self, tokens: Tokens, rng: np.random.Generator, n: int) -> Strings:
        """Draw continuations of a prefix from the true conditional distribution.

        Raises:
            ValueError: If no string of the language has this prefix.
        """
        found = self._continuations(tokens)
        found.require_valid_prefix()
        key = int(rng.integers(2**63))
        return Strings(*found.drawn(self.tables, self._weights.rules, key, n))

    # Membership, probabilities and parses.

    def accepts(self, tokens: Tokens) -> bool:
        """Whether the string is in the language.

        Raises:
            ValueError: If a token is not in the grammar.
        """
        return bool(self.accepts_batch([tokens])[0])

    def accepts_batch(self, documents: Documents) -> Bool[np.ndarray, " strings"]:
        """Whether each string is in the language.

        Raises:
            ValueError: If a token is not in the grammar.
        """
        places, starts = self._all_places(documents)
        is_derived: np.ndarray = whole_strings(places, starts, self.tables, self._weights)[0]
        return is_derived

    def log_probability(self, tokens: Tokens) -> float:
        """Log probability of a string in nats, over all derivations; -inf outside the language.

        Raises:
            ValueError: If a token is not in the grammar.
        """
        return float(self.log_probabilities([tokens])[0])

    def log_probabilities(self, documents: Documents) -> Float64[np.ndarray, " strings"]:
        """Log probability of each string in nats; -inf outside the language.

        Raises:
            ValueError: If a token is not in the grammar.
        """
        places, starts = self._all_places(documents)
        is_derived, weights = whole_strings(places, starts, self.tables, self._weights)
        logarithms = np.full(len(weights), -math.inf)
        logarithms[is_derived] = np.log(weights[is_derived])
        logarithms -= np.diff(starts) * math.log(self.scale)
        return logarithms

    def n_parses(self, tokens: Tokens) -> int:
        """Number of derivations of a string.

        Raises:
            ValueError: If a token is not in the grammar.
        """
        places = self._places(tokens)
        spans = inside(places, self.tables, counts(self.tables))
        found = root_weights(spans, len(places))[-1]
        return int(found) if found < _MOST_EXACT else n_derivations(len(places), self.tables, spans)

    def next_token_distribution(
        self, tokens: Tokens
    ) -> Float64[np.ndarray, "tokens_1 vocabulary_1"]:
        """The next-token distribution after each prefix of a string.

        Returns:
            Row m holds the probabilities given the first m tokens. The first column is the end of
            the string, the others are the grammar's tokens in ascending order.

        Raises:
            ValueError: If a token is not in the grammar, or some prefix begins no string.
        """
        found = self._continuations(tokens)
        found.require_valid_prefix()
        weights = found.next_weights
        distribution: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
        return distribution

    def longest_valid_prefix(self, tokens: Tokens) -> int:
        """Length of the longest prefix that begins some string of the language.

        Raises:
            ValueError: If a token is not in the grammar.
        """
        return self._continuations(tokens).n_valid

    def faults(self, documents: Documents) -> Faults:
        """The position and the level of the first error of each string.

        Raises:
            ValueError: If a token is not in the grammar.
        """
        return Faults(*first_errors(*self._all_places(documents), self.tables, self._weights))

    def parse(self, tokens: Tokens) -> Strings:
        """The string with its most probable derivation, one of them if several tie.

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
        derivations = best_derivations(places, starts, self.tables, best)
        return Strings(self.tables.tokens[places], starts, derivations)

    @cached_property
    def scale(self) -> float:
        """A factor per token that keeps the weight of a typical string near 1.

        Without it the probability of a long string would underflow.
        """
        return math.exp(self.derivation_entropy_bits * math.log(2) / self.mean_length)

    @cached_property
    def _weights(self) -> Weights:
        return probabilities(self.tables, self.scale)

    def _continuations(self, tokens: Tokens) -> Continuations:
        return Continuations.of(self._places(tokens), self.tables, self._weights)

    def _places(self, tokens: Tokens) -> np.ndarray:
        return self._all_places([tokens])[0]

    def _all_places(self, documents: Documents) -> tuple[np.ndarray, np.ndarray]:
        """Tokens as indices into the grammar's tokens, and where each string starts."""
        strings = documents if isinstance(documents, Strings) else Strings.of(documents)
        return strings.places(self.tables.tokens), strings.starts
