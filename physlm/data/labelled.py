"""Labelled texts: right and wrong ones, with the position of the first error where it is known."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int32, Int64

VALID = "none"  # the corruption of valid texts


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Texts with labels; texts of one problem belong to one fold.

    Attributes:
        tokens: The tokens of each text, beginning as the documents of the corpus do, unpadded.
        is_valid: Whether the text is right.
        problem: A number that the texts of one problem share, such as a right text and its
            corruption.
        corruption: What was done to the text; "none" for valid texts.
        n_errors: How often it was done; 0 for valid texts.
        error_position: Index of the first wrong token, or the number of tokens if the only error
            is that the text ends there; -1 if there is none, or it is not known.
        level: Level of the grammar's constituent that breaks there, from 1 for the root; -1 if
            there is none, and in other worlds.
        source: Where a real text comes from; "" for generated texts.
        is_complete: Whether the text ends by itself and was not cut off.
        n_given: Number of tokens that come before what is right or wrong, such as a problem before
            its solution; at least 1, since nothing predicts the first token.

    Raises:
        ValueError: If the fields differ in length.
    """

    tokens: tuple[Int32[np.ndarray, " _tokens"], ...]
    is_valid: Bool[np.ndarray, " texts"]
    problem: Int64[np.ndarray, " texts"]
    corruption: tuple[str, ...]
    n_errors: Int64[np.ndarray, " texts"]
    error_position: Int64[np.ndarray, " texts"]
    level: Int64[np.ndarray, " texts"]
    source: tuple[str, ...]
    is_complete: Bool[np.ndarray, " texts"]
    n_given: Int64[np.ndarray, " texts"]

    def __post_init__(self) -> None:
        counts = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(counts.values())) > 1:
            raise ValueError(f"labelled texts need one value per text in each field, not {counts}")

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def n_tokens(self) -> Int64[np.ndarray, " texts"]:
        """Number of tokens of each text."""
        return np.array([len(text) for text in self.tokens], dtype=np.int64)


@runtime_checkable
class Labelled(Protocol):
    """A corpus that can write right and wrong texts."""

    @property
    def corruptions(self) -> tuple[str, ...]:
        """The ways in which it can make a right text wrong."""

    def labelled(self, n_problems: int, corruption: str, n_errors: int) -> LabelledTexts:
        """Right and wrong texts of ``n_problems`` problems, never trained on.

        Args:
            n_problems: Number of problems; in a generated world each is one valid text and one
                wrong one of the same length, in this order.
            corruption: One of ``corruptions``.
            n_errors: How often each wrong text is corrupted.

        Raises:
            ValueError: If the corruption is unknown, or cannot be done that often.
        """


def pairs(
    valid: Sequence[Int32[np.ndarray, " _tokens"]],
    wrong: Sequence[Int32[np.ndarray, " _tokens"]],
    corruption: str,
    n_errors: int,
    *,
    error_position: Int64[np.ndarray, " pairs"],
    level: Int64[np.ndarray, " pairs"] | None = None,
    n_given: Int64[np.ndarray, " pairs"] | None = None,
) -> LabelledTexts:
    """Labelled texts of pairs: each valid text is followed by its corruption.

    Args:
        valid: The right text of each pair.
        wrong: The wrong text of each pair, equally long.
        corruption: What was done to the wrong texts.
        n_errors: How often.
        error_position: Index of the first wrong token of each wrong text.
        level: Level of the error of each wrong text; none outside grammars.
        n_given: Tokens that are given in both texts of a pair; by default the first alone.

    Raises:
        ValueError: If the texts of a pair differ in length.
    """
    for number, (right, other) in enumerate(zip(valid, wrong, strict=True)):
        if len(right) != len(other):
            raise ValueError(
                f"pair {number} has {len(right)} and {len(other)} tokens; must be equal"
            )
    n = len(valid)
    none = np.full(n, -1)
    levels = none if level is None else level
    return LabelledTexts(
        tokens=tuple(text for pair in zip(valid, wrong, strict=True) for text in pair),
        is_valid=np.tile([True, False], n),
        problem=np.repeat(np.arange(n), 2),
        corruption=(VALID, corruption) * n,
        n_errors=np.tile([0, n_errors], n),
        error_position=np.column_stack([none, error_position]).ravel(),
        level=np.column_stack([none, levels]).ravel(),
        source=("",) * (2 * n),
        is_complete=np.ones(2 * n, dtype=bool),
        n_given=np.repeat(np.ones(n, dtype=np.int64) if n_given is None else n_given, 2),
    )


def require_labelled_arguments(
    n_problems: int, corruption: str, n_errors: int, corruptions: Sequence[str]
) -> None:
    """Require valid arguments of ``Labelled.labelled``.

    Args:
        n_problems: Number of problems.
        corruption: Name of the corruption.
        n_errors: Number of errors of each wrong text.
        corruptions: Names of the corruptions that the world has.

    Raises:
        ValueError: If a number is below 1, or the corruption is not among ``corruptions``.
    """
    if corruption not in corruptions:
        known = ", ".join(corruptions)
        raise ValueError(f"corruption={corruption!r} is unknown in this world; use one of {known}")
    for name, value in (("n_problems", n_problems), ("n_errors", n_errors)):
        if value < 1:
            raise ValueError(f"{name}={value}; must be at least 1")
