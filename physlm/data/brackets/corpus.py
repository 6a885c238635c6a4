"""Brackets: uniform Dyck words of a fixed length."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from physlm.data.brackets.corruption import SWAPS, Swap, swapped
from physlm.data.brackets.dyck import (
    binary_entropies,
    first_wrong_bracket,
    n_shapes,
    opening_probabilities,
    shapes_of,
    typed,
)
from physlm.data.corpus import require_at_least
from physlm.data.fixed_length import FixedLengthConfig, FixedLengthCorpus, Rows
from physlm.data.labelled import LabelledTexts, pairs, require_labelled_arguments
from physlm.data.rejection import Text, collected, refused_versions
from physlm.data.splitmix import choices_of
from physlm.registry import register
from physlm.rng import stream

_PAIRS = ("()", "[]", "{}", "<>")


@register("data", "brackets")
@dataclass(kw_only=True, slots=True)
class BracketsConfig(FixedLengthConfig):
    """Balanced brackets: all words of ``n_brackets`` brackets are equally likely.

    A problem is a shape, a word without the types of its brackets: the words of held-out shapes are
    never trained on, whatever their types. In a corrupted training text one closing bracket has
    another type.
    """

    n_brackets: int = 64  # opening and closing ones of a word
    n_types: int = 2  # kinds of brackets, from 1 to 4: (), [], {}, <>
    seq_len: int = 65  # the tokens of one text of 64 brackets

    def validate(self) -> None:
        """Require every value in its range."""
        FixedLengthConfig.validate(self)
        require_at_least(self, 4, "n_brackets")
        if self.n_brackets % 2:
            raise ValueError(
                f"n_brackets={self.n_brackets}; must be even, since half of them close"
            )
        if not 1 <= self.n_types <= len(_PAIRS):
            raise ValueError(f"n_types={self.n_types}; must be from 1 to {len(_PAIRS)}")
        if self.corrupted_fraction and self.n_types == 1:
            raise ValueError(
                f"corrupted_fraction={self.corrupted_fraction} with n_types=1: a corrupted text "
                "has a bracket of another type; raise n_types"
            )
        self.require_numbered(f"n_brackets={self.n_brackets}")

    @property
    def n_problems(self) -> int:
        """Number of shapes."""
        return n_shapes(self.n_brackets)

    def build(self, seed: int) -> "BracketsCorpus":
        """The words of a seed."""
        return BracketsCorpus(self, seed)


@dataclass(frozen=True, eq=False, repr=False)
class BracketsCorpus(FixedLengthCorpus):
    """Dyck words; see `dyck`."""

    config: BracketsConfig

    @property
    def words(self) -> tuple[str, ...]:
        """Each type's opening bracket and its closing one."""
        return tuple("".join(_PAIRS[: self.config.n_types]))

    @property
    def n_tokens(self) -> int:
        """Brackets of a word, and its end-of-text."""
        return self.config.n_brackets + 1

    @property
    def drawn_bits(self) -> float:
        """Entropy of the types."""
        return self.config.n_brackets // 2 * math.log2(self.config.n_types)

    @property
    def n_prompt(self) -> int:
        """Tokens of the first half of a word."""
        return 1 + self.config.n_brackets // 2

    @property
    def corruption_bits(self) -> float:
        """Entropy of the wrong bracket, and of its type; 0 where there is one type only."""
        n_others = max(self.config.n_types - 1, 1)
        return math.log2(self.config.n_brackets // 2 * n_others)

    @property
    def _rules(self) -> tuple[object, ...]:
        return self.config.n_brackets, self.config.n_types

    def written(
        self, problems: Int64[np.ndarray, " texts"], key: int, numbers: Int64[np.ndarray, " texts"]
    ) -> Rows:
        """Words of shapes, with types drawn uniformly."""
        n = self.config.n_brackets
        bounds = np.full(n // 2, self.config.n_types)
        types = choices_of(np.uint64(key), numbers, bounds)
        words = typed(shapes_of(problems, n), types)
        return np.insert(words, 0, 2 * self.config.n_types, axis=1)

    def corrupted(self, texts: Rows, key: int, numbers: Int64[np.ndarray, " texts"]) -> Rows:
        """The same words, with another type of one closing bracket."""
        half, n_types = self.config.n_brackets // 2, self.config.n_types
        drawn = choices_of(np.uint64(key), numbers, np.array([half, n_types - 1]))
        is_open = texts % 2 == 0  # end-of-text is even, too
        closing = np.argsort(is_open, axis=1, kind="stable")[:, :half]
        found, rows = texts.copy(), np.arange(len(texts))
        at = closing[rows, drawn[:, 0]]
        types = (texts[rows, at] // 2 + 1 + drawn[:, 1]) % n_types
        found[rows, at] = 2 * types + 1
        return found

    def are_right(self, texts: Sequence[Int32[np.ndarray, " _tokens"]]) -> Bool[np.ndarray, " _n"]:
        """Which texts are words."""
        return _are_words(texts)

    def true_entropies(self, texts: Rows) -> Float64[np.ndarray, "texts tokens"]:
        """Entropy of whether a bracket opens, and of its type if it does."""
        is_open = texts[:, 1:] % 2 == 0
        p_open = opening_probabilities(is_open)
        entropies = binary_entropies(p_open) + p_open * math.log(self.config.n_types)
        return np.insert(entropies, 0, 0.0, axis=1)

    def token_classes(self, texts: Rows) -> np.ndarray:
        """``opening`` and ``closing`` brackets, and ``end`` for end-of-text."""
        classes = np.where(texts % 2 == 0, "opening", "closing")
        classes[:, 0] = "end"
        return classes

    @property
    def corruptions(self) -> tuple[str, ...]:
        """Which brackets can be swapped; see ``Swap``."""
        return SWAPS

    def labelled(self, n_problems: int, corruption: str, n_errors: int) -> LabelledTexts:
        """Words of held-out shapes, each also with ``n_errors`` disjoint pairs swapped.

        Raises:
            ValueError: If an argument is out of range, or too few words have ``n_errors`` such
                pairs.
        """
        require_labelled_arguments(n_problems, corruption, n_errors, SWAPS)
        kind, rng = Swap(corruption), stream(self.seed, "labelled", corruption, n_errors)

        def block(number: int) -> tuple[list[Text], list[Text | None]]:
            last = min((number + 1) * n_problems, self.config.n_held_out)
            right = self.held_out(min(number * n_problems, last), last, "labelled")

            def corrupt(chosen: Int64[np.ndarray, " chosen"]) -> list[Text | None]:
                wrong, has_all = swapped(right[chosen, 1:], kind, n_errors, rng)
                rows = np.insert(wrong, 0, self.vocabulary.eos, axis=1)
                return [row if ok else None for row, ok in zip(rows, has_all, strict=True)]

            return list(right), refused_versions(len(right), corrupt, _are_words)

        valid, wrong = collected(n_problems, block, f"corruption={corruption}, n_errors={n_errors}")
        first = first_wrong_bracket(np.stack(wrong)[:, 1:]) + 1
        return pairs(valid, wrong, corruption, n_errors, error_position=first)


def _are_words(texts: Sequence[Text]) -> np.ndarray:
    return first_wrong_bracket(np.stack(texts)[:, 1:]) < 0
