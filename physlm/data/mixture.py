"""Corpora mixed, each with a share of all that training reads."""

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
    their shares of the windows, to the window; or windows hold documents of all, and the parts have
    had their shares of the tokens, to the document. The others begin anew when they end.

    Attributes:
        parts: The corpora; the first decides how long training is, and what an exposure is.
        shares: Of the tokens, one for each part; they sum to 1.
        is_in_windows: Whether windows hold documents of all parts.

    Raises:
        ValueError: If shares do not add up, or there are not as many as parts.
    """

    parts: tuple[Corpus, ...]
    shares: tuple[float, ...]
    is_in_windows: bool = False

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.parts) or min(self.shares) <= 0:
            raise ValueError(f"shares={self.shares} of {len(self.parts)} parts; one above 0 each")
        if abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"shares={self.shares} sum to {sum(self.shares):g}; must sum to 1")

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
        content: tuple[object, ...] = ([part.fingerprint() for part in self.parts], self.shares)
        if self.is_in_windows:
            content = (*content, "in windows")
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents of the first part."""
        return self.parts[0].epoch(number, first, last)


def part_of(corpus: Corpus, kind: type[C]) -> C | None:
    """The corpus itself, or the first part of a mixture, that is of a kind."""
    parts = corpus.parts if isinstance(corpus, Mixture) else (corpus,)
    return next((part for part in parts if isinstance(part, kind)), None)
