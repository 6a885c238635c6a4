"""Mano: arithmetic in prefix notation, modulo a prime."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from physlm.data.corpus import Documents, require_at_least
from physlm.data.tasks.mano_documents import mano_documents
from physlm.data.tasks.mano_law import OPERATORS, hash_bound, n_expressions, split_laws, value_law
from physlm.data.tasks.synthetic_task import Difficulty, Evaluation, SyntheticTask, require_prompt
from physlm.data.tasks.task_corpus import TaskConfig
from physlm.registry import register
from physlm.run_id import LATER

_SYNONYMS = ("plus", "minus", "times")
_FRACTIONS = (0.01, 0.99)  # that may be held out, besides 0
_FEWEST = 30  # expressions in each part: fewer might be none, as a hash decides


@dataclass(frozen=True, kw_only=True)
class Mano(SyntheticTask):
    """The value of an expression of l operators in prefix notation.

    A document is ``bos``, ``<len_l>``, the expression, ``<ans_l>`` and its value, 2l + 5 tokens.
    An expression without operators is a uniform value; otherwise its operator is uniform, its left
    part has a uniform number of operators below l, and its right part the rest. All tokens are
    predicted with loss.

    A fraction of the longest expressions can be held out for tests. A hash of its operators and
    values decides for each expression, the same in every run; synonyms do not count, and
    expressions that differ in the order of a sum are different ones. Training has the distribution
    above, given that an expression of L operators is not held out: l stays uniform. Shorter
    expressions are all in training, among them the parts of the held-out ones.

    Attributes:
        n_max: Largest number of operators, L; l is uniform from 1 to L.
        modulus: Values are 0 to ``modulus - 1``.
        has_synonyms: Whether operators, ``bos``, and the marks of length and answer have two tokens
            each, one of which is drawn at every occurrence.
        held_out_fraction: Fraction of the expressions of L operators that are for tests only; 0, as
            published, tests on fresh draws of what training draws from. Above 0 there are two
            evaluation sets of L operators: held-out expressions, and the others.

    Raises:
        ValueError: If a value is out of range.

    Source:
        Physics of Language Models, Part 4.1: the task Mano.
    """

    n_max: int = 10
    modulus: int = 23
    has_synonyms: bool = True
    held_out_fraction: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        require_at_least(self, 1, "n_max")
        require_at_least(self, 2, "modulus")
        if self.held_out_fraction:
            self._require_two_parts()

    @property
    def words(self) -> tuple[str, ...]:
        """Values, operators, and second tokens of operators."""
        synonyms = _SYNONYMS if self.has_synonyms else ()
        return (*map(str, range(self.modulus)), *OPERATORS, *synonyms)

    @property
    def marks(self) -> tuple[str, ...]:
        """Lengths and answers, the same for their second tokens, and a second ``bos``."""
        once = self._lengths("")
        return (*once, *self._lengths("_b"), "<bos_b>") if self.has_synonyms else once

    @property
    def answer_marks(self) -> tuple[str, ...]:
        """``<ans_l>`` for every length l, and their second tokens if there are synonyms."""
        return tuple(mark for mark in self.marks if mark.startswith("<ans_"))

    @property
    def begins(self) -> tuple[int, ...]:
        """``bos``, and its second token if there is one."""
        return (self.bos, self.bos - 1) if self.has_synonyms else (self.bos,)

    @property
    def longest(self) -> int:
        """Tokens of a document of L operators."""
        return 2 * self.n_max + 5

    @property
    def difficulties(self) -> Mapping[str, tuple[int, int]]:
        """The number of operators, and whether expressions are held-out ones."""
        return {"l": (1, self.n_max)} | ({"held_out": (0, 1)} if self.held_out_fraction else {})

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """One, of L operators; two if some are held out: held-out expressions and the others."""
        if not self.held_out_fraction:
            return (Evaluation({"l": self.n_max}, {}),)
        parts = ({"held_out": 1}, {"held_out": 0})
        return tuple(Evaluation({"l": self.n_max, **part}, part) for part in parts)

    def numbered(self, key: int, first: int, last: int, difficulty: Difficulty) -> Documents:
        """Documents ``first`` to ``last - 1`` of a key; see ``SyntheticTask``.

        Raises:
            ValueError: If held-out expressions of fewer than L operators are asked for.
        """
        is_held_out = bool(difficulty.get("held_out"))
        fewest = self.n_max if is_held_out else 1
        fewest, most = difficulty.get("l", fewest), difficulty.get("l", self.n_max)
        if is_held_out and fewest < self.n_max:
            raise ValueError(
                f"l={fewest} with held_out=1; only expressions of n_max={self.n_max} operators are "
                "held out, so leave l out"
            )
        tokens, starts = mano_documents(
            np.uint64(key),
            first,
            last - first,
            (fewest, most, self.n_max),
            self.modulus,
            (self.bos, len(self.words)),
            self.has_synonyms,
            (hash_bound(self.held_out_fraction), is_held_out),
        )
        return Documents(tokens, starts)

    def check(self, prompt: Int[np.ndarray, " prompt"], answer: Int[np.ndarray, " answer"]) -> bool:
        """Whether the answer is the value of the expression, and nothing else."""
        return list(np.asarray(answer).tolist()) == [self._value(prompt)]

    def chance(self, difficulty: Difficulty) -> float:
        """The probability of the most common value, the value 0 unless expressions are few."""
        n = difficulty.get("l", self.n_max)
        law = value_law(self.modulus, n)
        if self.held_out_fraction and n == self.n_max:
            laws = split_laws(self.modulus, n, self.held_out_fraction)
            law = laws[difficulty.get("held_out", 0)]
        return float(law.max())

    def _value(self, prompt: np.ndarray) -> int:
        """The value of a prompt's expression.

        Raises:
            ValueError: If the prompt has another form.
        """
        require_prompt(self, prompt)
        own = self.last_document(prompt).tolist()
        value, n_operators = self._computed(own[1:-1]), (len(own) - 3) // 2
        if value is None or (own[0], own[-1]) not in self._marks_of(n_operators):
            raise ValueError(
                "a prompt of Mano has <len_l>, an expression of l operators, <ans_l>, with l from "
                f"1 to {self.n_max}"
            )
        return value

    def _computed(self, tokens: list[int]) -> int | None:
        """The value of an expression; None if the tokens are not one whole expression."""
        values: list[int] = []
        # From right to left, the parts of an operator are complete before it.
        for token in reversed(tokens):
            if token < self.modulus:
                values.append(token)
            elif token < len(self.words) and len(values) > 1:
                left, right = values.pop(), values.pop()
                operator = (token - self.modulus) % len(OPERATORS)
                values.append((left + right, left - right, left * right)[operator] % self.modulus)
            else:
                return None
        return values[0] if len(values) == 1 else None

    def _marks_of(self, n: int) -> set[tuple[int, int]]:
        """The possible pairs of marks, of length and of answer, for ``n`` operators."""
        if not 1 <= n <= self.n_max:
            return set()
        endings = ("", "_b") if self.has_synonyms else ("",)
        lengths, answers = (
            [self.mark(f"<{kind}_{n}{ending}>") for ending in endings] for kind in ("len", "ans")
        )
        return set(itertools.product(lengths, answers))

    def _require_two_parts(self) -> None:
        """Require that both parts of the longest expressions are large enough to be drawn."""
        least, most = _FRACTIONS
        given = f"held_out_fraction={self.held_out_fraction}"
        if not least <= self.held_out_fraction <= most:
            raise ValueError(f"{given}; must be 0 for none, or from {least} to {most}")
        n = n_expressions(self.modulus, self.n_max)
        if min(self.held_out_fraction, 1 - self.held_out_fraction) * n < _FEWEST:
            raise ValueError(
                f"{given} of {n} expressions of n_max={self.n_max} operators modulo "
                f"{self.modulus}; must hold out at least {_FEWEST} and leave at least {_FEWEST}"
            )

    def _lengths(self, ending: str) -> tuple[str, ...]:
        kinds = ((kind, n) for kind in ("len", "ans") for n in range(1, self.n_max + 1))
        return tuple(f"<{kind}_{n}{ending}>" for kind, n in kinds)


@register("data", "mano")
@dataclass(kw_only=True, slots=True)
class ManoConfig(TaskConfig):
    """Documents of Mano; see `Mano` for its fields."""

    n_max: int = 10
    modulus: int = 23
    has_synonyms: bool = True
    held_out_fraction: float = field(default=0.0, metadata=LATER)
    seq_len: int = 1024

    def validate(self) -> None:
        """Require every value in its range, and documents that can be separated."""
        TaskConfig.validate(self)
        if self.has_synonyms and not self.attention_across_documents:
            raise ValueError(
                "attention_across_documents=false needs documents that begin with one token; set "
                "has_synonyms=false"
            )

    @property
    def task(self) -> Mano:
        """The task."""
        return Mano(**self.own_values(Mano))
