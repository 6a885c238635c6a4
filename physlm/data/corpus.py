"""A corpus: a world rendered as token documents, one epoch = one exposure of all knowledge."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int32, Int64

from physlm.data.tokens import Vocabulary
from physlm.run_id import LATER
from physlm.schema import Schema


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents end to end, each beginning with end-of-text.

    Attributes:
        tokens: Token ids.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
        is_target: Which tokens are predicted with loss; None for all.
    """

    tokens: Int32[np.ndarray, " tokens"]
    starts: Int64[np.ndarray, " documents_1"]
    is_target: Bool[np.ndarray, " tokens"] | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self, padding: int) -> Int32[np.ndarray, "documents longest"]:
        """One document per row, padded on the right."""
        lengths = np.diff(self.starts)
        rows = np.full((len(self), lengths.max()), padding, dtype=np.int32)
        rows[np.arange(lengths.max()) < lengths[:, None]] = self.tokens
        return rows


class Packing(str, Enum):
    """How documents become training windows.

    ``continuous`` cuts the stream of all documents into windows, so that nothing is lost. In
    ``left_aligned`` windows begin with a new document, and what is left of the last one is dropped.
    """

    continuous = "continuous"
    left_aligned = "left_aligned"


@runtime_checkable
class Corpus(Protocol):
    """The properties of a corpus that training and the record of a run need."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens of the documents."""

    @property
    def n_documents(self) -> int:
        """Documents in one epoch."""

    @property
    def n_epochs(self) -> int:
        """Epochs of the whole training."""

    @property
    def entropy_bits(self) -> float:
        """Entropy of the world, in bits."""

    def fingerprint(self) -> str:
        """A hash of everything that decides the documents."""

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents ``first`` to ``last - 1`` of an epoch, in its own order.

        A pure function of the corpus and the arguments: every worker, rank and resumed run gets
        the same tokens.
        """


class OneLine:
    """A corpus whose repr is one line, in a notebook and in errors: its fields hold whole worlds.

    For dataclasses with ``repr=False``, which leave this repr as it is.
    """

    __slots__ = ()

    def __repr__(self: Corpus) -> str:
        """Kind, documents of an epoch, and epochs."""
        return f"{type(self).__name__}({self.n_documents:,} documents, {self.n_epochs:,} epochs)"


@dataclass(kw_only=True, slots=True)
class DataConfig(Schema, ABC):
    """Settings of every corpus; each world adds its own fields.

    Attributes:
        has_texts: Whether a checkpoint can read the world as text, with its own tokenizer.
        keeps_window: Whether ``seq_len`` is taken from the measured run.

    Raises:
        ValueError: If a value is outside its range.
    """

    has_texts: ClassVar[bool] = False
    keeps_window: ClassVar[bool] = False

    exposures: int = 1000  # times each piece of knowledge is seen; 0: no training
    seq_len: int = 512  # tokens of a training window
    attention_across_documents: bool = True  # as in the papers; false masks other documents
    packing: Packing = field(default=Packing.continuous, metadata=LATER)

    def validate(self) -> None:
        """Require every value in its range; worlds extend this."""
        require_at_least(self, 0, "exposures")
        require_at_least(self, 1, "seq_len")

    @abstractmethod
    def build(self, seed: int) -> Corpus:
        """The corpus of this configuration and seed."""

    def follow(self, earlier: Corpus, seed: int) -> Corpus:
        """The corpus for a model that was trained on an earlier corpus.

        Raises:
            ValueError: If the vocabularies differ.
        """
        corpus = self.build(seed)
        if not corpus.vocabulary.is_same(earlier.vocabulary):
            raise ValueError(
                f"the vocabulary of data, {corpus.vocabulary.size} tokens, differs from that of "
                f"the parent run, {earlier.vocabulary.size} tokens; use the same world and seed"
            )
        return corpus

    def follow_run(self, earlier: Corpus, seed: int, run_dir: Path) -> Corpus:  # noqa: ARG002
        """As ``follow``; a world that reads what the earlier run has measured overrides this.

        Args:
            earlier: The corpus of the earlier run.
            seed: Seed of the new corpus.
            run_dir: The directory of the earlier run, which may not be trained yet.
        """
        return self.follow(earlier, seed)


def require_at_least(config: object, minimum: float, *names: str) -> None:
    """Require that every named field is at least ``minimum``.

    Raises:
        ValueError: Naming the first field that is smaller.
    """
    for name in names:
        value = getattr(config, name)
        if not value >= minimum:
            raise ValueError(f"{name}={value}; must be at least {minimum}")


def require_some(config: object, *names: str) -> None:
    """Require that no named list is empty; null stands for its default.

    Raises:
        ValueError: Naming the first list that is empty.
    """
    for name in names:
        if getattr(config, name) == []:
            raise ValueError(f"{name}=[]; give at least one value, or null for the default")
