"""CFG corpus: strings of a grammar as training documents, drawn afresh in every epoch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int, Int32

from physlm.data.annotation import AnnotatedDocuments
from physlm.data.cfg.annotation import annotated_strings
from physlm.data.cfg.corruption import CorruptionKind, corrupt
from physlm.data.cfg.derivation import Strings
from physlm.data.cfg.families import random_bags
from physlm.data.cfg.grammar import Grammar
from physlm.data.cfg.labelled_strings import VIOLATIONS, labelled_strings
from physlm.data.cfg.library import load_grammar, pinned
from physlm.data.corpus import DataConfig, Documents, OneLine, require_at_least
from physlm.data.labelled import LabelledTexts
from physlm.data.prompted import Prompts
from physlm.data.splitmix import uniform_of
from physlm.data.tokens import TokenizerName, Vocabulary
from physlm.registry import register
from physlm.rng import stream, stream_key
from physlm.sources import SOURCE


class BagKind(str, Enum):
    """Whether terminals are tokens (``none``), or become tokens of disjoint or overlapping bags."""

    none = "none"
    disjoint = "disjoint"
    overlapping = "overlapping"


@register("data", "cfg")
@dataclass(kw_only=True, slots=True)
class CfgConfig(DataConfig):
    """Strings of a context-free grammar, drawn afresh in every epoch.

    Source:
        Physics of Language Models, Part 1, section 2; bags and corruption, results 10 to 13.
    """

    # A name, FAMILY:SEED, or a file, which is pinned to its content.
    grammar: str = field(default="cfg3b", metadata=SOURCE)
    root: int | str | None = None  # the start symbol; null: the grammar's root
    n_strings: int = 100_000  # of one epoch
    exposures: int = 1  # epochs, each of different strings
    bags: BagKind = BagKind.none
    n_bag_tokens: int = 300  # tokens of all bags
    is_uniform_in_bags: bool = True  # false: the n-th token of a bag has weight n
    corruption: CorruptionKind = CorruptionKind.terminal
    corrupted_fraction: float = 0.0  # of the strings
    corruption_rate: float = 0.15  # of the tokens or symbols of a corrupted string

    def validate(self) -> None:
        """Require counts and fractions in range, and pin a grammar's file to its content."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_strings", "n_bag_tokens")
        for name in ("corrupted_fraction", "corruption_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be from 0 to 1")
        self.grammar = pinned(self.grammar)

    def build(self, seed: int) -> "CfgCorpus":
        """Load the grammar and draw its bags."""
        grammar = load_grammar(self.grammar)
        if self.root is not None:
            grammar = self._below_root(grammar)
        if self.bags is not BagKind.none:
            bags = random_bags(
                grammar.rules.terminals,
                self.n_bag_tokens,
                stream(seed, "bags"),
                is_disjoint=self.bags is BagKind.disjoint,
                is_uniform=self.is_uniform_in_bags,
            )
            grammar = Grammar(grammar.rules, bags)
        return CfgCorpus(self, grammar, seed)

    def _below_root(self, grammar: Grammar) -> Grammar:
        assert self.root is not None
        try:
            return grammar.subgrammar(self.root)
        except ValueError as error:
            raise ValueError(f"{error}, or null for the whole grammar") from error


@dataclass(frozen=True, repr=False)
class CfgCorpus(OneLine):
    """A grammar rendered as documents, each an end-of-text and one string.

    Attributes:
        config: The configuration that it was built from.
        grammar: The world.
        seed: Seed of every epoch's strings.
    """

    config: CfgConfig
    grammar: Grammar
    seed: int

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The grammar's tokens in ascending order, then end-of-text."""
        return Vocabulary.build(TokenizerName.compact, [f" {t}" for t in self.grammar.tokens])

    @property
    def n_documents(self) -> int:
        """Strings in an epoch."""
        return self.config.n_strings

    @property
    def n_epochs(self) -> int:
        """Epochs of training, each of different strings."""
        return self.config.exposures

    @property
    def entropy_bits(self) -> float:
        """Description length of the grammar's rules, in bits."""
        return self.grammar.description_bits

    def fingerprint(self) -> str:
        """SHA-256 over rules, bags, corruption and seed."""
        config = self.config
        corruption = (config.corruption.value, config.corrupted_fraction, config.corruption_rate)
        bags = sorted((t, sorted(bag.items())) for t, bag in self.grammar.bags.items())
        content = (self.grammar.to_text(), bags, corruption, self.seed, self.n_documents)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents ``first`` to ``last - 1`` of an epoch."""
        return self.documents(self.strings(number, first, last))

    def strings(self, number: int, first: int, last: int, *, derivations: bool = False) -> Strings:
        """The strings of documents ``first`` to ``last - 1`` of an epoch.

        Args:
            number: Number of the epoch.
            first: First document.
            last: Last document, exclusive.
            derivations: Whether to return derivations too.

        Raises:
            ValueError: If the corpus has corrupted strings, which have no derivations.
        """
        fraction = self.config.corrupted_fraction
        if fraction and derivations:
            raise ValueError(
                f"corrupted_fraction={fraction}: corrupted strings have no derivations; use 0"
            )
        key = stream_key(self.seed, "epoch", number, "strings")
        needs_symbols = fraction > 0 and self.config.corruption is not CorruptionKind.terminal
        strings = self.grammar.numbered(
            key, first, last - first, derivations=derivations or needs_symbols
        )
        return self._corrupted(strings, number, first) if fraction else strings

    def measured(self, n: int, *purpose: str, derivations: bool = False) -> Strings:
        """Clean strings for measurement, independent of those of training."""
        key = stream_key(self.seed, "measured", *purpose)
        return self.grammar.numbered(key, 0, n, derivations=derivations)

    def annotated(self, n_tokens: int) -> AnnotatedDocuments:
        """Fresh strings with the class and the truth of every token; see ``annotated_strings``."""
        return annotated_strings(self, n_tokens)

    @property
    def corruptions(self) -> tuple[str, ...]:
        """The ways in which a string can be made wrong; see ``Violation``."""
        return VIOLATIONS

    def labelled(self, n_problems: int, corruption: str, n_errors: int) -> LabelledTexts:
        """Fresh strings, each with a wrong version; see ``labelled_strings``."""
        return labelled_strings(self, n_problems, corruption, n_errors)

    def prompts(self, n: int) -> Prompts:
        """The first halves of fresh strings; see ``Prompted``."""
        halves = [self.ids(string[: len(string) // 2]) for string in self.measured(n, "prompts")]
        longest = self.grammar.longest - min(map(len, halves))
        eos = self.vocabulary.eos
        return Prompts(tuple(np.insert(half, 0, eos) for half in halves), longest + 1, eos=eos)

    def are_right(
        self, texts: Sequence[Int32[np.ndarray, " _tokens"]]
    ) -> Bool[np.ndarray, " texts"]:
        """Which texts are strings of the language, each after an end-of-text."""
        return self.grammar.accepts_batch([self.string(text[1:]) for text in texts])

    def documents(self, strings: Strings) -> Documents:
        """Strings as documents, in token ids of the vocabulary."""
        eos = np.int32(self.vocabulary.eos)
        tokens = np.insert(self.ids(strings.tokens), strings.starts[:-1], eos)
        return Documents(tokens, strings.starts + np.arange(len(strings.starts)))

    def ids(self, tokens: Int32[np.ndarray, " tokens"]) -> Int32[np.ndarray, " tokens"]:
        """The token ids of the grammar's tokens."""
        return np.searchsorted(self.grammar.tables.tokens, tokens).astype(np.int32)

    def string(self, ids: Int[np.ndarray, " tokens"]) -> Int32[np.ndarray, " tokens"]:
        """The grammar's tokens of token ids, which must not include end-of-text."""
        tokens: np.ndarray = self.grammar.tables.tokens[ids]
        return tokens

    def _corrupted(self, strings: Strings, number: int, first: int) -> Strings:
        """The strings, with the chosen fraction of them replaced by corrupted versions."""
        key = stream_key(self.seed, "epoch", number, "corruption")
        is_corrupted = self.is_corrupted(number, first, first + len(strings))
        config = self.config
        rate = config.corruption_rate
        corrupted = corrupt(self.grammar, strings, config.corruption, rate, key, first)
        rows = zip(strings, corrupted.strings, is_corrupted, strict=True)
        return Strings.of([other if chosen else clean for clean, other, chosen in rows])

    def is_corrupted(self, number: int, first: int, last: int) -> Bool[np.ndarray, " documents"]:
        """Which documents of an epoch are corrupted."""
        key = stream_key(self.seed, "epoch", number, "corrupted")
        uniform: np.ndarray = uniform_of(np.uint64(key), first, last)
        return uniform < self.config.corrupted_fraction
