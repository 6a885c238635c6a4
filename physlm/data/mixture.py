"""A mixture of corpora, each with a fixed fraction of the training data."""

import hashlib
from dataclasses import dataclass
from typing import TypeVar

from physlm.data.corpus import Corpus, Documents, OneLine
from physlm.data.tokens import Vocabulary

C = TypeVar("C")


@dataclass(frozen=True, repr=False)
class Mixture(OneLine):
    """Corpora over one vocabulary; training ends with the last epoch of the first corpus.

    Either every window holds documents of one part, and at any time in training each part has had
    its fraction of the windows, exact to one window; or windows hold documents of all parts, and
    each part has had its fraction of the tokens, exact to one document. Parts other than the first
    repeat as often as needed.

    Attributes:
        parts: The corpora; the first one decides the length of training and counts exposures.
        shares: Fraction of each part; they sum to 1.
        is_in_windows: Whether windows hold documents of all parts.

    Raises:
        ValueError: If shares are not positive, do not sum to 1, or do not match the parts.
    """

    parts: tuple[Corpus, ...]
    shares: tuple[float, ...]
    is_in_windows: bool = False

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.parts) or min(self.shares) <= 0:
            raise ValueError(
                f"shares={self.shares} for {len(self.parts)} parts; give each a share above 0"
            )
        if abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"shares={self.shares} sum to {sum(self.shares):g}; must sum to 1")

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of every part."""
        return self.parts[0].vocabulary

    @property
    def n_documents(self) -> int:
        """Documents in one epoch of the first part."""
        return self.parts[0].n_documents

    @property
    def n_epochs(self) -> int:
        """Epochs of the first part."""
        return self.parts[0].n_epochs

    @property
    def entropy_bits(self) -> float:
        """Entropy of the first part's world."""
        return self.parts[0].entropy_bits

    def fingerprint(self) -> str:
        """SHA-256 over the parts and their shares."""
        content: tuple[object, ...] = ([part.fingerprint() for part in self.parts], self.shares)
        if self.is_in_windows:
            content = (*content, "in windows")
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents of the first part."""
        return self.parts[0].epoch(number, first, last)


def part_of(corpus: Corpus, kind: type[C]) -> C | None:
    """The corpus itself, or the first part of a mixture, if it is of the given kind."""
    parts = corpus.parts if isinstance(corpus, Mixture) else (corpus,)
    return next((part for part in parts if isinstance(part, kind)), None)
