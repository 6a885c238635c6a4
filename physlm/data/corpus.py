"""A corpus: a world rendered as token documents, one epoch = one exposure of all it knows."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.tokens import Vocabulary
from physlm.schema import Schema


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents laid end to end; each begins with end-of-text.

    Attributes:
        tokens: Token ids.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
    """

    tokens: Int32[np.ndarray, " tokens"]
    starts: Int64[np.ndarray, " documents_1"]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self, filling: int) -> Int32[np.ndarray, "documents longest"]:
        """One document per row, filled up behind its end."""
        lengths = np.diff(self.starts)
        rows = np.full((len(self), lengths.max()), filling, dtype=np.int32)
        rows[np.arange(lengths.max()) < lengths[:, None]] = self.tokens
        return rows


@runtime_checkable
class Corpus(Protocol):
    """What training needs of a corpus, and what a record says of it."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens of the documents."""

    @property
    def n_documents(self) -> int:
        """Documents in one epoch."""

    @property
    def n_epochs(self) -> int:
        """Epochs in the whole of training."""

    @property
    def entropy_bits(self) -> float:
        """Bits needed to write down the world itself."""

    def fingerprint(self) -> str:
        """A hash of all that decides the documents."""

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents ``first`` to ``last - 1`` of an epoch, in that epoch's order.

        A pure function of the corpus and its arguments: any worker, rank or resumed run gets
        the same tokens.
        """


@dataclass(kw_only=True, slots=True)
class DataConfig(Schema, ABC):
    """What every corpus has; each world adds its own fields.

    Raises:
        ValueError: If a value is outside its range.
    """

    exposures: int = 1000  # times each piece of knowledge is seen; 0: nothing is trained
    seq_len: int = 512  # tokens in a training window
    attention_across_documents: bool = True  # as in the papers; false masks other documents

    def validate(self) -> None:
        """Every value in its range; worlds extend this."""
        require_at_least(self, 0, "exposures")
        require_at_least(self, 1, "seq_len")

    @abstractmethod
    def build(self, seed: int) -> Corpus:
        """The corpus of this configuration and seed."""

    def follow(self, earlier: Corpus, seed: int) -> Corpus:
        """The corpus for a model that was trained on an earlier one.

        Raises:
            ValueError: If its tokens are others.
        """
        corpus = self.build(seed)
        if not corpus.vocabulary.is_same(earlier.vocabulary):
            raise ValueError(
                f"the {corpus.vocabulary.size} tokens of data are not the "
                f"{earlier.vocabulary.size} of the run to start from; use the same world and seed"
            )
        return corpus


def require_at_least(config: object, minimum: float, *names: str) -> None:
    """Every named field is at least ``minimum``.

    Raises:
        ValueError: Naming the first field that is not.
    """
    for name in names:
        value = getattr(config, name)
        if not value >= minimum:
            raise ValueError(f"{name}={value}; must be at least {minimum}")
