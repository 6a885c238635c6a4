"""Strings of a language, with their derivations."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int32, Int64

Tokens = Sequence[int] | np.ndarray


@dataclass(frozen=True, slots=True)
class Derivations:
    """Ancestors and subtree boundaries of every position, for strings end to end.

    Row l - 1 is the paper's level l: the first row is the root's, the last the terminals'.

    Attributes:
        ancestors: The position's ancestor on each level, s_l(i).
        subtrees: Index of the position's subtree among those of the level, p_l(i), from 0.
        is_boundary: Whether the position is the last of its subtree, b_l(i).
        log_probability: Log probability of each string's derivation, in nats.

    Source:
        Physics of Language Models, Part 1, section 2.2.
    """

    ancestors: Int32[np.ndarray, "levels positions"]
    subtrees: Int32[np.ndarray, "levels positions"]
    is_boundary: Bool[np.ndarray, "levels positions"]
    log_probability: Float64[np.ndarray, " strings"]

    @property
    def deepest_boundary(self) -> Int8[np.ndarray, " positions"]:
        """The smallest level from 2 to L - 1 whose subtree ends here, b#(i); 0 if none does."""
        inner = self.is_boundary[1:-1]
        levels = np.where(inner.any(axis=0), inner.argmax(axis=0) + 2, 0) if len(inner) else 0
        return np.broadcast_to(levels, self.is_boundary.shape[1]).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Strings:
    """Strings end to end, as tokens of the grammar.

    Attributes:
        tokens: The tokens.
        starts: String i is ``tokens[starts[i]:starts[i + 1]]``.
        derivations: The derivations, if they are known.
    """

    tokens: Int32[np.ndarray, " positions"]
    starts: Int64[np.ndarray, " strings_1"]
    derivations: Derivations | None = None

    @classmethod
    def of(cls, rows: Iterable[Tokens]) -> "Strings":
        """Strings from a list of token sequences.

        Raises:
            ValueError: If a row is not a sequence of integers, or an integer is out of range.
        """
        arrays = [_tokens(row, i) for i, row in enumerate(rows)]
        starts = np.concatenate([[0], np.cumsum([len(row) for row in arrays])]).astype(np.int64)
        return cls(np.concatenate([np.empty(0, np.int32), *arrays]), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> Int32[np.ndarray, " tokens"]:
        return self.tokens[self.starts[i] : self.starts[i + 1]]

    def __iter__(self) -> Iterator[Int32[np.ndarray, " tokens"]]:
        return (self[i] for i in range(len(self)))

    @property
    def lengths(self) -> Int64[np.ndarray, " strings"]:
        """Tokens of each string."""
        return np.diff(self.starts)

    def places(self, known: Int32[np.ndarray, " known"]) -> Int64[np.ndarray, " positions"]:
        """Index of each token in an ascending array of known tokens.

        Raises:
            ValueError: Naming the first unknown token.
        """
        found = np.minimum(np.searchsorted(known, self.tokens), len(known) - 1)
        is_unknown = known[found] != self.tokens
        if is_unknown.any():
            at = int(is_unknown.argmax())
            string = int(np.searchsorted(self.starts, at, side="right")) - 1
            listed = known.tolist() if len(known) <= 12 else [known[0], "...", known[-1]]
            raise ValueError(
                f"token {self.tokens[at]} at position {at - self.starts[string]} of string "
                f"{string} is not in the grammar, whose tokens are {', '.join(map(str, listed))}"
            )
        return found

    def chosen(self, is_chosen: Bool[np.ndarray, " strings"]) -> "Strings":
        """A subset of the strings, with their derivations."""
        is_kept = np.repeat(is_chosen, self.lengths)
        starts = np.concatenate([[0], np.cumsum(self.lengths[is_chosen])])
        truth = self.derivations
        kept = truth and Derivations(
            truth.ancestors[:, is_kept],
            truth.subtrees[:, is_kept],
            truth.is_boundary[:, is_kept],
            truth.log_probability[is_chosen],
        )
        return Strings(self.tokens[is_kept], starts, kept)


def _tokens(row: Tokens, number: int) -> Int32[np.ndarray, " tokens"]:
    found = np.asarray(row)
    if found.ndim != 1 or (len(found) and found.dtype.kind not in "iu"):
        raise ValueError(f"string {number} is not a sequence of integers; give token ids")
    if len(found) and (found.min() < 0 or found.max() >= 2**31):
        position = int(((found < 0) | (found >= 2**31)).argmax())
        raise ValueError(
            f"token {found[position]} at position {position} of string {number}; must be from 0 to "
            f"{2**31 - 1}"
        )
    return found.astype(np.int32)
