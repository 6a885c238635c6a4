"""Strings of a grammar as training documents, never the same string on purpose."""

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int, Int32

from physlm.data.cfg.corruption import CorruptionKind, corrupt
from physlm.data.cfg.derivation import Strings
from physlm.data.cfg.families import random_bags
from physlm.data.cfg.grammar import Grammar
from physlm.data.cfg.library import load_grammar, pinned
from physlm.data.corpus import DataConfig, Documents, require_at_least
from physlm.data.splitmix import uniform_of
from physlm.data.tokens import TokenizerName, Vocabulary
from physlm.registry import register
from physlm.rng import stream, stream_key
from physlm.sources import SOURCE


class BagKind(str, Enum):
    """Whether terminals are their own tokens, or become tokens of bags that may share some."""

    none = "none"
    disjoint = "disjoint"
    overlapping = "overlapping"


@register("data", "cfg")
@dataclass(kw_only=True, slots=True)
class CfgConfig(DataConfig):
    """Strings of a context-free grammar, drawn anew in every epoch.

    Source:
        Physics of Language Models, Part 1, section 2; bags and corruption, results 10 to 13.
    """

    # A name, FAMILY:SEED, or a file, which is then pinned.
    grammar: str = field(default="cfg3b", metadata=SOURCE)
    root: int | str | None = None  # start from this symbol; None: from the grammar's root
    n_strings: int = 100_000  # of one epoch
    exposures: int = 1  # epochs; each draws other strings
    bags: BagKind = BagKind.none
    n_bag_tokens: int = 300  # tokens of all bags
    is_uniform_in_bags: bool = True  # else the n-th token of a bag has weight n
    corruption: CorruptionKind = CorruptionKind.terminal
    corrupted_fraction: float = 0.0  # of the strings
    corruption_rate: float = 0.15  # of the tokens or symbols of a corrupted string

    def validate(self) -> None:
        """Counts and shares in range; a grammar's file is pinned to its content."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_strings", "n_bag_tokens")
        for name in ("corrupted_fraction", "corruption_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be from 0 to 1")
        self.grammar = pinned(self.grammar)

    def build(self, seed: int) -> "CfgCorpus":
        """Load the grammar, and draw its bags."""
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


@dataclass(frozen=True)
class CfgCorpus:
    """A grammar rendered as documents: each is end-of-text, then one string.

    Attributes:
        config: What it was built from.
        grammar: The world.
        seed: Of every epoch's strings.
    """

    config: CfgConfig
    grammar: Grammar
    seed: int

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """One token for each of the grammar's, in ascending order, then end-of-text."""
        return Vocabulary.build(TokenizerName.compact, [f" {t}" for t in self.grammar.tokens])

    @property
    def n_documents(self) -> int:
        """Strings in an epoch."""
        return self.config.n_strings

    @property
    def n_epochs(self) -> int:
        """Epochs of training, each of other strings."""
        return self.config.exposures

    @property
    def entropy_bits(self) -> float:
        """Bits to write the grammar's rules down."""
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
        """The strings of these documents; with derivations, those of what was meant.

        Raises:
            ValueError: If strings are corrupted and derivations asked for, which then fit none.
        """
        share = self.config.corrupted_fraction
        if share and derivations:
            raise ValueError(f"corrupted_fraction={share}: corrupted strings have no derivations")
        key = stream_key(self.seed, "epoch", number, "strings")
        needs_symbols = share > 0 and self.config.corruption is not CorruptionKind.terminal
        strings = self.grammar.numbered(
            key, first, last - first, derivations=derivations or needs_symbols
        )
        return self._corrupted(strings, number, first) if share else strings

    def measured(self, n: int, *purpose: str, derivations: bool = False) -> Strings:
        """Strings for measurement, drawn apart from training's and never corrupted."""
        key = stream_key(self.seed, "measured", *purpose)
        return self.grammar.numbered(key, 0, n, derivations=derivations)

    def documents(self, strings: Strings) -> Documents:
        """Strings as documents, in tokens of the vocabulary."""
        eos = np.int32(self.vocabulary.eos)
        tokens = np.insert(self.ids(strings.tokens), strings.starts[:-1], eos)
        return Documents(tokens, strings.starts + np.arange(len(strings.starts)))

    def ids(self, tokens: Int32[np.ndarray, " tokens"]) -> Int32[np.ndarray, " tokens"]:
        """The token ids of tokens of the grammar."""
        return np.searchsorted(self.grammar.tables.tokens, tokens).astype(np.int32)

    def string(self, ids: Int[np.ndarray, " tokens"]) -> Int32[np.ndarray, " tokens"]:
        """The grammar's tokens of token ids without end-of-text."""
        tokens: np.ndarray = self.grammar.tables.tokens[ids]
        return tokens

    def _corrupted(self, strings: Strings, number: int, first: int) -> Strings:
        """The share of the strings that is corrupted replaced by what that makes of them."""
        key = stream_key(self.seed, "epoch", number, "corruption")
        is_corrupted = self.is_corrupted(number, first, first + len(strings))
        config = self.config
        made = corrupt(self.grammar, strings, config.corruption, config.corruption_rate, key, first)
        rows = zip(strings, made.strings, is_corrupted, strict=True)
        return Strings.of([other if chosen else clean for clean, other, chosen in rows])

    def is_corrupted(self, number: int, first: int, last: int) -> Bool[np.ndarray, " documents"]:
        """Which documents of an epoch are corrupted."""
        key = stream_key(self.seed, "epoch", number, "corrupted")
        uniform: np.ndarray = uniform_of(np.uint64(key), first, last)
        return uniform < self.config.corrupted_fraction
