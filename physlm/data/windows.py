"""Training windows: positions in the data, and how targets are stored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.corpus import Corpus, Documents

IGNORED = -1  # the target at padding, which fills an epoch's last window


def stored(documents: Documents) -> Int32[np.ndarray, " tokens"]:
    """Tokens as windows store them: one that is read but not predicted is ``-2 - token``."""
    if documents.is_target is None:
        return documents.tokens
    return np.where(documents.is_target, documents.tokens, -2 - documents.tokens)


def marks_targets(corpus: Corpus) -> bool:
    """Whether only some tokens of the documents are predicted with loss."""
    return corpus.n_documents > 0 and corpus.epoch(0, 0, 1).is_target is not None


@dataclass(frozen=True, slots=True)
class Position:
    """The position of training in the data: everything before it was seen, nothing after.

    Attributes:
        epoch: Epochs finished.
        document: Documents finished in the current epoch.
        token: Tokens read in the current document.
        others: In a mixture, the same three numbers for every other part, then for each part the
            windows so far, or the tokens of finished documents if windows hold all parts.
    """

    epoch: int = 0
    document: int = 0
    token: int = 0
    others: tuple[int, ...] = ()

    @classmethod
    def of(cls, numbers: Sequence[int]) -> "Position":
        """The position with these `numbers`."""
        epoch, document, token, *others = numbers
        return cls(epoch, document, token, tuple(others))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The position as plain numbers, for checkpoints."""
        return (self.epoch, self.document, self.token, *self.others)

    def exposures(self, n_documents: int) -> float:
        """Exposures of each piece of knowledge so far, counted in finished documents."""
        return self.epoch + (self.document / n_documents if n_documents else 0)


START = Position()  # of training


@dataclass(frozen=True, slots=True)
class Windows:
    """Consecutive windows of one epoch.

    A window holds ``seq_len + 1`` tokens: the first ``seq_len`` are inputs, the last ``seq_len``
    targets. Adjacent continuous windows overlap by one token, so that every token is a target once.

    Attributes:
        tokens: As `stored`, and `IGNORED` after the end of the epoch.
        ends: The position after each window, as its `Position.numbers`.
    """

    tokens: Int32[np.ndarray, "windows seq_1"]
    ends: Int64[np.ndarray, "windows numbers"]
