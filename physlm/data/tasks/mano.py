"""Mano: arithmetic in prefix notation, modulo a prime."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int

from physlm.data.compilation import compiled, compiled_within
from physlm.data.corpus import Documents, require_at_least
from physlm.data.growing import grown
from physlm.data.splitmix import below, next_bits, stream_of
from physlm.data.tasks.synthetic_task import Difficulty, Evaluation, SyntheticTask, require_prompt
from physlm.data.tasks.task_corpus import TaskConfig
from physlm.registry import register

OPERATORS = ("+", "-", "*")
_SYNONYMS = ("plus", "minus", "times")


@dataclass(frozen=True, kw_only=True)
class Mano(SyntheticTask):
    """The value of an expression of l operators in prefix notation.

    A document is ``bos``, ``<len_l>``, the expression, ``<ans_l>`` and its value, 2l + 5 tokens.
    An expression without operators is a uniform value; otherwise its operator is uniform, its left
    part has a uniform number of operators below l, and its right part the rest. All tokens are
    predicted with loss.

    Attributes:
        n_max: Largest number of operators, L; l is uniform from 1 to L.
        modulus: Values are 0 to ``modulus - 1``.
        has_synonyms: Whether operators, ``bos``, and the marks of length and answer have two tokens
            each, one of which is drawn at every occurrence.

    Raises:
        ValueError: If a value is out of range.

    Source:
        Physics of Language Models, Part 4.1: the task Mano.
    """

    n_max: int = 10
    modulus: int = 23
    has_synonyms: bool = True

    def __post_init__(self) -> None:
        require_at_least(self, 1, "n_max")
        require_at_least(self, 2, "modulus")

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
        """One for every length, or two."""
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
        """The number of operators."""
        return {"l": (1, self.n_max)}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """L operators."""
        return (Evaluation({"l": self.n_max}, {}),)

    def numbered(self, key: int, first: int, last: int, difficulty: Difficulty) -> Documents:
        """Documents ``first`` to ``last - 1`` of a key; see ``SyntheticTask``."""
        tokens, starts = _documents(
            np.uint64(key),
            first,
            last - first,
            (difficulty.get("l", 1), difficulty.get("l", self.n_max), self.n_max),
            self.modulus,
            (self.bos, len(self.words)),
            self.has_synonyms,
        )
        return Documents(tokens, starts)

    def check(self, prompt: Int[np.ndarray, " prompt"], answer: Int[np.ndarray, " answer"]) -> bool:
        """Whether the answer is the value of the expression, and nothing else."""
        require_prompt(self, prompt)
        values: list[int] = []
        for token in self.last_document(prompt)[-2:0:-1].tolist():
            if token < self.modulus:
                values.append(token)
            else:
                left, right = values.pop(), values.pop()
                operator = (token - self.modulus) % len(OPERATORS)
                values.append((left + right, left - right, left * right)[operator] % self.modulus)
        return list(np.asarray(answer).tolist()) == values

    def chance(self, difficulty: Difficulty) -> float:
        """The probability of the most common value, which is 0."""
        return float(value_law(self.modulus, difficulty.get("l", self.n_max)).max())

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
    seq_len: int = 1024

    def validate(self) -> None:
        """Every value in its range; documents must begin with one token to be told apart."""
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


@lru_cache
def value_law(modulus: int, n_operators: int) -> Float64[np.ndarray, " values"]:
    """Probability of each value of an expression."""
    law = np.full(modulus, 1 / modulus)
    if n_operators == 0:
        return law
    law, values = np.zeros(modulus), np.arange(modulus)
    left, right = values[:, None], values[None, :]
    for n_left in range(n_operators):
        both = np.outer(value_law(modulus, n_left), value_law(modulus, n_operators - 1 - n_left))
        for results in (left + right, left - right, left * right):
            law += np.bincount((results % modulus).ravel(), weights=both.ravel())
    found: np.ndarray = law / (len(OPERATORS) * n_operators)
    return found


@compiled
def _documents(key, first, n_documents, lengths, modulus, ids, has_synonyms):  # type: ignore[no-untyped-def]
    """Tokens of all documents, and where each starts.

    Args:
        key: Of the random streams.
        first: Number of the first document.
        n_documents: Number of documents.
        lengths: Fewest and most operators, and the most that the task has.
        modulus: Number of values.
        ids: Of ``bos`` and of ``<len_1>``.
        has_synonyms: Whether to draw between two tokens.
    """
    fewest, most, n_max = lengths
    bos, len_1 = ids
    starts = np.zeros(n_documents + 1, dtype=np.int64)
    tokens = np.empty(2 * n_max + 5, dtype=np.int32)
    work = np.empty(n_max + 2, dtype=np.int64)
    for i in range(n_documents):
        begin = starts[i]
        tokens = grown(tokens, begin, 2 * n_max + 5)
        state, bits = next_bits(stream_of(key, first + i))
        n = fewest + below(bits, most - fewest + 1)
        state = _write_expression(state, n, modulus, tokens, begin + 2, work)
        end = begin + 2 * n + 3
        tokens[begin] = bos
        tokens[begin + 1] = len_1 + n - 1
        tokens[end] = len_1 + n_max + n - 1
        tokens[end + 1] = _value(tokens, begin + 2, end, modulus, work)
        if has_synonyms:
            _replace_by_synonyms(state, tokens, begin, end, modulus, 2 * n_max)
        starts[i + 1] = end + 2
    return tokens[: starts[-1]], starts


@compiled_within
def _write_expression(state, n, modulus, tokens, at, parts):  # type: ignore[no-untyped-def]
    """Write an expression of ``n`` operators at a place; returns the new state.

    Args:
        state: Of the random stream.
        n: Number of operators.
        modulus: Number of values.
        tokens: Receives the expression.
        at: Where it begins.
        parts: Room for the sizes of parts.
    """
    # Parts that are still to be written, the next one last: prefix notation needs no more.
    n_parts, parts[0] = 1, n
    while n_parts > 0:
        n_parts -= 1
        size = parts[n_parts]
        state, bits = next_bits(state)
        if size == 0:
            tokens[at] = below(bits, modulus)
        else:
            tokens[at] = modulus + below(bits, 3)
            state, bits = next_bits(state)
            n_left = below(bits, size)
            parts[n_parts] = size - 1 - n_left
            parts[n_parts + 1] = n_left
            n_parts += 2
        at += 1
    return state


@compiled_within
def _value(tokens, first, last, modulus, values):  # type: ignore[no-untyped-def]
    """The value of the expression at ``first`` to ``last - 1``.

    Args:
        tokens: Holds the expression.
        first: Its first place.
        last: The place after it.
        modulus: Number of values.
        values: Room for the values of parts.
    """
    # From right to left, the parts of an operator are complete before it.
    n = 0
    for t in range(last - 1, first - 1, -1):
        token = tokens[t]
        if token < modulus:
            values[n] = token
            n += 1
            continue
        n -= 1
        left, right = values[n], values[n - 1]
        if token == modulus:
            values[n - 1] = (left + right) % modulus
        elif token == modulus + 1:
            values[n - 1] = (left - right + modulus) % modulus
        else:
            values[n - 1] = (left * right) % modulus
    return values[0]


@compiled_within
def _replace_by_synonyms(state, tokens, begin, end, modulus, shift):  # type: ignore[no-untyped-def]
    """Replace each token that has a second one by that, with probability one half.

    Args:
        state: Of the random stream.
        tokens: Holds the document.
        begin: Place of ``bos``.
        end: Place of the mark before the answer.
        modulus: Number of values.
        shift: From the first marks of length and answer to the second ones.
    """
    for t in range(begin, end + 1):
        if tokens[t] < modulus:
            continue
        state, bits = next_bits(state)
        is_second = below(bits, 2)
        if t == begin:
            tokens[t] -= is_second
        elif t in (begin + 1, end):
            tokens[t] += shift * is_second
        else:
            tokens[t] += 3 * is_second
