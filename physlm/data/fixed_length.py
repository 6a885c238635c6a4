"""Worlds of numbered problems whose texts all have the same length."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from physlm.data.annotation import AnnotatedDocuments
from physlm.data.corpus import DataConfig, Documents, OneLine, require_at_least
from physlm.data.prompted import Prompts
from physlm.data.shuffle import Shuffle
from physlm.data.splitmix import uniform_of
from physlm.data.tokens import TokenizerName, Vocabulary
from physlm.rng import stream_key
from physlm.run_id import LATER

_MOST_PROBLEMS = 2**62  # that can be shuffled

Rows = Int32[np.ndarray, "texts tokens"]


@dataclass(kw_only=True, slots=True)
class FixedLengthConfig(DataConfig, ABC):
    """Texts of one length, different ones in every epoch, and problems that are held out."""

    n_texts: int = 100_000  # of one epoch
    exposures: int = 1  # epochs, each of different texts
    held_out_fraction: float = 0.1  # of all problems, drawn at random
    corrupted_fraction: float = field(default=0.0, metadata=LATER)  # of the training texts

    def validate(self) -> None:
        """Require every value in its range, and no more problems than can be numbered."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_texts")
        if not 0 < self.held_out_fraction < 1:
            raise ValueError(
                f"held_out_fraction={self.held_out_fraction}; must be above 0 and below 1"
            )
        if not 0 <= self.corrupted_fraction < 1:
            raise ValueError(
                f"corrupted_fraction={self.corrupted_fraction}; must be at least 0 and below 1"
            )

    @property
    @abstractmethod
    def n_problems(self) -> int:
        """Number of all problems."""

    @property
    def n_held_out(self) -> int:
        """Number of problems that are never trained on."""
        return math.ceil(Fraction(self.held_out_fraction) * self.n_problems)

    def require_numbered(self, what: str) -> None:
        """Require at most 2^62 problems, at least one of them not held out.

        Args:
            what: The fields that decide their number, for the error.

        Raises:
            ValueError: If there are more, or none is left to train on.
        """
        if self.n_problems > _MOST_PROBLEMS:
            raise ValueError(f"{what} make more than 2^62 problems; lower one of them")
        if self.n_held_out == self.n_problems:
            raise ValueError(
                f"{what} make {self.n_problems} problems, and held_out_fraction="
                f"{self.held_out_fraction} leaves none to train on; lower it, or raise the others"
            )


@dataclass(frozen=True, eq=False, repr=False)
class FixedLengthCorpus(OneLine, ABC):
    """Texts of numbered problems, each an end-of-text and a fixed number of tokens.

    All problems are in a random order. Training reads them in this order and begins again after the
    last, so that none occurs twice before all have occurred. The last problems of the order are
    held out. Of the training texts, a fraction may be corrupted; held-out texts never are.

    Attributes:
        config: The configuration that it was built from.
        seed: Seed of the order, and of everything else that a text draws.
    """

    config: FixedLengthConfig
    seed: int

    @property
    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """The words of texts; token i is word i, and end-of-text comes last."""

    @property
    @abstractmethod
    def n_tokens(self) -> int:
        """Tokens of every text, with its end-of-text."""

    @property
    @abstractmethod
    def drawn_bits(self) -> float:
        """Entropy of what a text draws beyond its problem, in bits."""

    @property
    @abstractmethod
    def n_prompt(self) -> int:
        """Tokens of a text, with its end-of-text, that are its prompt."""

    @property
    @abstractmethod
    def corruption_bits(self) -> float:
        """Entropy of how a corrupted text goes wrong, in bits; no two ways give the same text."""

    @property
    @abstractmethod
    def _rules(self) -> tuple[object, ...]:
        """The fields that decide the texts of problems, for the fingerprint."""

    @abstractmethod
    def written(
        self, problems: Int64[np.ndarray, " texts"], key: int, numbers: Int64[np.ndarray, " texts"]
    ) -> Rows:
        """The texts of problems.

        Args:
            problems: Numbers of the problems.
            key: Key of the random streams of everything else that is drawn.
            numbers: Number of each text's random stream.
        """

    @abstractmethod
    def corrupted(self, texts: Rows, key: int, numbers: Int64[np.ndarray, " texts"]) -> Rows:
        """The texts, each corrupted.

        Args:
            texts: Right texts.
            key: Key of the random streams of the corruption.
            numbers: Number of each text's random stream.
        """

    @abstractmethod
    def are_right(self, texts: Sequence[Int32[np.ndarray, " _tokens"]]) -> Bool[np.ndarray, " _n"]:
        """Which whole texts are right; see ``Prompted``."""

    @abstractmethod
    def true_entropies(self, texts: Rows) -> Float64[np.ndarray, "texts tokens"]:
        """Exact entropy of each token given those before it, in nats; all problems equally likely.

        That of end-of-text is 0.
        """

    @abstractmethod
    def token_classes(self, texts: Rows) -> np.ndarray:
        """The class of each token, as text, in the shape of the texts."""

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words in order, then end-of-text."""
        return Vocabulary.build(TokenizerName.compact, [f" {word}" for word in self.words])

    @property
    def n_documents(self) -> int:
        """Texts in an epoch."""
        return self.config.n_texts

    @property
    def n_epochs(self) -> int:
        """Epochs of training, each of different texts."""
        return self.config.exposures

    @property
    def n_trained(self) -> int:
        """Number of problems that training draws from."""
        return self.config.n_problems - self.config.n_held_out

    @property
    def entropy_bits(self) -> float:
        """Exact entropy of one text of training, corrupted or not, in bits."""
        corrupted = self.config.corrupted_fraction
        is_corrupted_bits = -sum(p * math.log2(p) for p in (corrupted, 1 - corrupted) if p)
        right_bits = math.log2(self.n_trained) + self.drawn_bits
        return right_bits + is_corrupted_bits + corrupted * self.corruption_bits

    @property
    def floor_nats_per_token(self) -> float:
        """Mean loss on held-out texts of an ideal model, end-of-text included.

        To that model all problems are equally likely: it cannot know which are held out.
        """
        bits = math.log2(self.config.n_problems) + self.drawn_bits
        return bits * math.log(2) / self.n_tokens

    def fingerprint(self) -> str:
        """SHA-256 over everything that decides the texts."""
        content: tuple[object, ...] = (
            type(self).__name__,
            self._rules,
            self.config.held_out_fraction,
            self.n_documents,
            self.seed,
        )
        if self.config.corrupted_fraction:
            content = (*content, self.config.corrupted_fraction)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents ``first`` to ``last - 1`` of an epoch."""
        numbers = number * self.n_documents + np.arange(first, last)
        problems = self._order.at(numbers % self.n_trained)
        texts = self.written(problems, stream_key(self.seed, "texts"), numbers)
        chosen = self.is_corrupted(number, first, last)
        if chosen.any():
            key = stream_key(self.seed, "corruption")
            texts[chosen] = self.corrupted(texts[chosen], key, numbers[chosen])
        return self._documents(texts)

    def is_corrupted(self, number: int, first: int, last: int) -> Bool[np.ndarray, " documents"]:
        """Which documents ``first`` to ``last - 1`` of an epoch are corrupted."""
        key, before = np.uint64(stream_key(self.seed, "corrupted")), number * self.n_documents
        uniform: np.ndarray = uniform_of(key, before + first, before + last)
        return uniform < self.config.corrupted_fraction

    def held_out(self, first: int, last: int, *purpose: str) -> Rows:
        """Texts ``first`` to ``last - 1`` of a purpose, of distinct problems never trained on.

        Raises:
            ValueError: If fewer problems are held out.
        """
        n_held_out = self.config.n_held_out
        if last > n_held_out:
            raise ValueError(
                f"held_out_fraction={self.config.held_out_fraction} holds out {n_held_out} "
                f"problems, and {last} are needed; use fewer, or raise it"
            )
        key = stream_key(self.seed, "held out", *purpose)
        numbers = np.arange(first, last)
        places = self.n_trained + Shuffle(n_held_out, key).at(numbers)
        return self.written(self._order.at(places), key, numbers)

    def prompts(self, n: int) -> Prompts:
        """The first ``n_prompt`` tokens of held-out texts; see ``Prompted``."""
        texts = self.held_out(0, n, "prompts")
        return Prompts(tuple(texts[:, : self.n_prompt]), self.n_tokens - self.n_prompt, eos=None)

    def annotated(self, n_tokens: int) -> AnnotatedDocuments:
        """Held-out texts, each a group, with the class and the true entropy of every token."""
        texts = self.held_out(
            0, min(-(-n_tokens // self.n_tokens), self.config.n_held_out), "annotated"
        )
        return AnnotatedDocuments(
            documents=self._documents(texts),
            groups=np.arange(len(texts)),
            classes=self.token_classes(texts).ravel(),
            entropy_nats=self.true_entropies(texts).ravel(),
        )

    def _documents(self, texts: Rows) -> Documents:
        return Documents(texts.ravel(), np.arange(len(texts) + 1) * self.n_tokens)

    @property
    def _order(self) -> Shuffle:
        return Shuffle(self.config.n_problems, stream_key(self.seed, "problems"))
