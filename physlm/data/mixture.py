"""Corpora mixed in whole windows, each with a share of all that training reads."""

import hashlib
from dataclasses import dataclass
from typing import TypeVar

from physlm.data.corpus import Corpus, Documents
from physlm.data.tokens import Vocabulary

C = TypeVar("C")


@dataclass(frozen=True)
class Mixture:
    """Corpora of the same tokens; training ends with the first one's last epoch.

    Every window holds documents of one part alone, and at any time in training the parts have had
    their shares of the windows, to the window. The others begin anew when they end.

    Attributes:
        parts: The corpora; the first decides how long training is, and what an exposure is.
        shares: Of the windows, one for each part; they sum to 1.
    """

    parts: tuple[Corpus, ...]
    shares: tuple[float, ...]

    @property
    def vocabulary(self) -> Vocabulary:
        """That of every part."""
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
        """Of the first part's world."""
        return self.parts[0].entropy_bits

    def fingerprint(self) -> str:
        """SHA-256 over the parts and their shares."""
        content = ([part.fingerprint() for part in self.parts], self.shares)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents of the first part."""
        return self.parts[0].epoch(number, first, last)


def part_of(corpus: Corpus, kind: type[C]) -> C | None:
    """The corpus itself, or the first part of a mixture, that is of a kind."""
    parts = corpus.parts if isinstance(corpus, Mixture) else (corpus,)
    return next((part for part in parts if isinstance(part, kind)), None)
