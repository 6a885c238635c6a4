"""Sums: chains of arithmetic modulo m, every intermediate result written out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from physlm.data.corpus import require_at_least
from physlm.data.fixed_length import FixedLengthConfig, FixedLengthCorpus, Rows
from physlm.data.labelled import LabelledTexts, pairs, require_labelled_arguments
from physlm.data.splitmix import choices_of
from physlm.data.sums.chains import (
    MARKS,
    OPERATORS,
    Layout,
    problems_of,
    problems_stated,
    worked_out,
    written,
    wrong_tokens,
)
from physlm.data.sums.corruption import MISTAKES, Mistake, wrong_work
from physlm.registry import register
from physlm.rng import stream


@register("data", "sums")
@dataclass(kw_only=True, slots=True)
class SumsConfig(FixedLengthConfig):
    """Chains of sums, differences and products modulo m, stated and then worked out.

    Start and operands are uniform, operands without 0. For a prime m every step is then a
    bijection: all results are uniform, and a single wrong one that is carried on never leads to the
    right answer. In a corrupted training text the result of one step is another residue, and the
    next steps go on from it.

    Source:
        Physics of Language Models, Part 4.1 (Mano: modular arithmetic), here from left to right and
        with all intermediate results.
    """

    modulus: int = 23  # m: values are 0 to m - 1; for a prime every step is a bijection
    n_steps: int = 8  # operations of each chain
    seq_len: int = 69  # the tokens of one text of 8 steps

    def validate(self) -> None:
        """Require every value in its range."""
        FixedLengthConfig.validate(self)
        require_at_least(self, 3, "modulus")
        require_at_least(self, 1, "n_steps")
        self.require_numbered(f"modulus={self.modulus} and n_steps={self.n_steps}")

    @property
    def n_problems(self) -> int:
        """Choices of the start, and of the operator and the operand of every step."""
        return int(self.modulus * (len(OPERATORS) * (self.modulus - 1)) ** self.n_steps)

    def build(self, seed: int) -> "SumsCorpus":
        """The chains of a seed."""
        return SumsCorpus(self, seed)


@dataclass(frozen=True, eq=False, repr=False)
class SumsCorpus(FixedLengthCorpus):
    """Chains of arithmetic, each a problem and its work; see `chains`."""

    config: SumsConfig

    @property
    def words(self) -> tuple[str, ...]:
        """Residues, operators and marks."""
        return (*map(str, range(self.config.modulus)), *OPERATORS, *MARKS)

    @property
    def n_tokens(self) -> int:
        """Tokens of every text."""
        return Layout(self.config.n_steps).n_tokens

    @property
    def drawn_bits(self) -> float:
        """Zero: the work follows from the problem."""
        return 0.0

    @property
    def n_prompt(self) -> int:
        """Tokens of the stated problem, with its colon."""
        return Layout(self.config.n_steps).colon + 1

    @property
    def corruption_bits(self) -> float:
        """Entropy of the choice of the wrong step, and of its result."""
        return math.log2(self.config.n_steps * (self.config.modulus - 1))

    @property
    def _rules(self) -> tuple[object, ...]:
        return self.config.modulus, self.config.n_steps

    def written(
        self,
        problems: Int64[np.ndarray, " texts"],
        key: int,  # noqa: ARG002 - nothing else is drawn
        numbers: Int64[np.ndarray, " texts"],  # noqa: ARG002
    ) -> Rows:
        """The problems with their right work."""
        modulus = self.config.modulus
        stated = problems_of(problems, modulus, self.config.n_steps)
        return written(stated, worked_out(stated, modulus), modulus)

    def corrupted(self, texts: Rows, key: int, numbers: Int64[np.ndarray, " texts"]) -> Rows:
        """The same problems, with one wrong result that is carried on."""
        modulus, n_steps = self.config.modulus, self.config.n_steps
        drawn = choices_of(np.uint64(key), numbers, np.array([n_steps, modulus - 1]))
        shifts = np.zeros((len(texts), n_steps), dtype=np.int64)
        shifts[np.arange(len(texts)), drawn[:, 0]] = 1 + drawn[:, 1]
        stated = problems_stated(texts, modulus, n_steps)
        return written(stated, worked_out(stated, modulus, shifts=shifts), modulus)

    def are_right(self, texts: Sequence[Int32[np.ndarray, " _tokens"]]) -> Bool[np.ndarray, " _n"]:
        """Which texts have no wrong token."""
        is_wrong = wrong_tokens(np.stack(texts), self.config.modulus, self.config.n_steps)
        return np.logical_not(is_wrong.any(axis=1))

    def true_entropies(self, texts: Rows) -> Float64[np.ndarray, "texts tokens"]:
        """Entropy of start, operators and operands of the problem; all else follows from them."""
        modulus, at = self.config.modulus, Layout(self.config.n_steps)
        entropies = np.zeros(texts.shape)
        entropies[:, 1] = math.log(modulus)
        entropies[:, at.stated_operators] = math.log(len(OPERATORS))
        entropies[:, at.stated_operators + 1] = math.log(modulus - 1)
        return entropies

    def token_classes(self, texts: Rows) -> np.ndarray:
        """``problem``, ``result``, ``answer``, ``copied`` terms of steps, and ``mark`` words."""
        at = Layout(self.config.n_steps)
        classes = np.full(self.n_tokens, "mark", "U8")
        classes[1 : at.colon] = "problem"
        for offset in range(3):
            classes[at.lefts + offset] = "copied"
        classes[at.results], classes[at.answer] = "result", "answer"
        return np.broadcast_to(classes, texts.shape)

    @property
    def corruptions(self) -> tuple[str, ...]:
        """The ways in which work can go wrong; see ``Mistake``."""
        return MISTAKES

    def labelled(self, n_problems: int, corruption: str, n_errors: int) -> LabelledTexts:
        """Held-out problems, each with right work and with ``n_errors`` wrong steps.

        Raises:
            ValueError: If an argument is out of range.
        """
        require_labelled_arguments(n_problems, corruption, n_errors, MISTAKES)
        modulus, n_steps = self.config.modulus, self.config.n_steps
        if n_errors > n_steps:
            raise ValueError(f"n_errors={n_errors} exceeds n_steps={n_steps}; lower it")
        right = self.held_out(0, n_problems, "labelled")
        stated = problems_stated(right, modulus, n_steps)
        rng = stream(self.seed, "labelled", corruption, n_errors)
        work = wrong_work(stated, modulus, Mistake(corruption), n_errors, rng)
        wrong = written(stated, work, modulus)
        first = wrong_tokens(wrong, modulus, n_steps).argmax(axis=1)
        return pairs(list(right), list(wrong), corruption, n_errors, error_position=first)
