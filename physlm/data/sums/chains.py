"""Chains of arithmetic modulo m as token texts, and the checker of their steps.

A text states a problem and works it out: ``7 + 5 * 3 : 7 + 5 = 12 ; 12 * 3 = 13 ; answer 13``, here
with two steps modulo 23. Steps go from left to right, without precedence. Residues are the tokens
0 to m - 1; the other words follow.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, Int64

OPERATORS = ("+", "-", "*")
MARKS = (":", "=", ";", "answer")

_PER_STEP = 6  # tokens: value, operator, operand, =, result, ;


@dataclass(frozen=True, slots=True)
class Problems:
    """Stated problems.

    Attributes:
        start: The first residue.
        operators: Index of the operator of each step.
        operands: Operand of each step, from 1 to m - 1.
    """

    start: Int64[np.ndarray, " texts"]
    operators: Int64[np.ndarray, "texts steps"]
    operands: Int64[np.ndarray, "texts steps"]


@dataclass(frozen=True, slots=True)
class Work:
    """Steps as they are written out, right or wrong.

    Attributes:
        lefts: The value that each step starts from.
        operators: Index of the operator that each step uses.
        results: Result of each step.
        answer: The final answer.
    """

    lefts: Int64[np.ndarray, "texts steps"]
    operators: Int64[np.ndarray, "texts steps"]
    results: Int64[np.ndarray, "texts steps"]
    answer: Int64[np.ndarray, " texts"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tokens of a text are; end-of-text is at 0, the start at 1.

    Attributes:
        n_steps: Steps of every chain.
    """

    n_steps: int

    @property
    def n_tokens(self) -> int:
        """Tokens of a text, with its end-of-text."""
        return self.answer + 1

    @property
    def stated_operators(self) -> Int64[np.ndarray, " steps"]:
        """The operators of the stated problem; each operand follows its operator."""
        return 2 + 2 * np.arange(self.n_steps)

    @property
    def colon(self) -> int:
        """The colon that ends the problem."""
        return 2 + 2 * self.n_steps

    @property
    def lefts(self) -> Int64[np.ndarray, " steps"]:
        """The first token of each step; operator, operand, =, result and ; follow."""
        return self.colon + 1 + _PER_STEP * np.arange(self.n_steps)

    @property
    def results(self) -> Int64[np.ndarray, " steps"]:
        """The result of each step."""
        return self.lefts + 4

    @property
    def answer(self) -> int:
        """The final answer, after its word."""
        return self.colon + 2 + _PER_STEP * self.n_steps


def problems_of(numbers: Int64[np.ndarray, " texts"], modulus: int, n_steps: int) -> Problems:
    """The problems with these numbers, counted from 0."""
    rest, start = np.divmod(numbers, modulus)
    operators = np.empty((len(numbers), n_steps), dtype=np.int64)
    operands = np.empty_like(operators)
    for step in range(n_steps):
        rest, operators[:, step] = np.divmod(rest, len(OPERATORS))
        rest, operands[:, step] = np.divmod(rest, modulus - 1)
    return Problems(start, operators, operands + 1)


def problems_stated(
    texts: Int32[np.ndarray, "texts tokens"], modulus: int, n_steps: int
) -> Problems:
    """The problems that texts state."""
    places = Layout(n_steps).stated_operators
    found = texts.astype(np.int64)
    return Problems(found[:, 1], found[:, places] - modulus, found[:, places + 1])


def computed(
    left: Int64[np.ndarray, "..."],
    operator: Int64[np.ndarray, "..."],
    operand: Int64[np.ndarray, "..."],
    modulus: int,
) -> Int64[np.ndarray, "..."]:
    """The result of a step."""
    results = [left + operand, left - operand, left * operand]
    chosen: np.ndarray = np.choose(np.clip(operator, 0, 2), results) % modulus
    return chosen


def worked_out(
    problems: Problems,
    modulus: int,
    *,
    shifts: Int64[np.ndarray, "texts steps"] | None = None,
    is_carried: bool = True,
) -> Work:
    """The steps of problems.

    Args:
        problems: The problems.
        modulus: m.
        shifts: Added to each result; 0 where the step is right.
        is_carried: Whether later steps go on from shifted results instead of right ones.
    """
    n_texts, n_steps = problems.operators.shape
    moved = np.zeros((n_texts, n_steps), dtype=np.int64) if shifts is None else shifts
    lefts, results = np.empty_like(moved), np.empty_like(moved)
    value = problems.start
    for step in range(n_steps):
        lefts[:, step] = value
        right = computed(value, problems.operators[:, step], problems.operands[:, step], modulus)
        results[:, step] = (right + moved[:, step]) % modulus
        value = results[:, step] if is_carried else right
    return Work(lefts, problems.operators, results, value)


def written(problems: Problems, work: Work, modulus: int) -> Int32[np.ndarray, "texts tokens"]:
    """Texts of problems and their work, each after an end-of-text."""
    n_texts, n_steps = problems.operators.shape
    at = Layout(n_steps)
    colon, equals, end, answer = (modulus + len(OPERATORS) + i for i in range(len(MARKS)))
    rows = np.empty((n_texts, at.n_tokens), dtype=np.int32)
    rows[:, 0] = modulus + len(OPERATORS) + len(MARKS)
    rows[:, 1] = problems.start
    rows[:, at.stated_operators] = modulus + problems.operators
    rows[:, at.stated_operators + 1] = problems.operands
    rows[:, at.colon] = colon
    rows[:, at.lefts] = work.lefts
    rows[:, at.lefts + 1] = modulus + work.operators
    rows[:, at.lefts + 2] = problems.operands
    rows[:, at.lefts + 3] = equals
    rows[:, at.results] = work.results
    rows[:, at.results + 1] = end
    rows[:, at.answer - 1] = answer
    rows[:, at.answer] = work.answer
    return rows


def wrong_tokens(
    texts: Int32[np.ndarray, "texts tokens"], modulus: int, n_steps: int
) -> Bool[np.ndarray, "texts tokens"]:
    """Which tokens are not what the tokens before them determine.

    A step goes on from the result written before it, uses the operator and the operand that the
    problem states, and its result is that of its own written terms. The answer is the last result.
    """
    at = Layout(n_steps)
    found, stated = texts.astype(np.int64), problems_stated(texts, modulus, n_steps)
    lefts, results = found[:, at.lefts], found[:, at.results]
    used, operands = found[:, at.lefts + 1] - modulus, found[:, at.lefts + 2]
    previous = np.column_stack([stated.start, results])
    expected = Work(
        lefts=previous[:, :-1],
        operators=stated.operators,
        results=computed(lefts, used, operands, modulus),
        answer=results[:, -1],
    )
    is_wrong: np.ndarray = written(stated, expected, modulus) != texts
    # Any well-formed problem is right.
    is_wrong[:, 1] = stated.start >= modulus
    is_wrong[:, at.stated_operators] = (stated.operators < 0) | (stated.operators >= len(OPERATORS))
    is_wrong[:, at.stated_operators + 1] = (stated.operands < 1) | (stated.operands >= modulus)
    return is_wrong


def first_wrong_step(
    texts: Int32[np.ndarray, "texts tokens"], modulus: int, n_steps: int
) -> Int64[np.ndarray, " texts"]:
    """The first wrong step of each text, from 0; ``n_steps`` if only the answer is wrong, else -1.

    Raises:
        ValueError: If a text has another number of tokens, or states no problem.
    """
    at = Layout(n_steps)
    if texts.shape[1] != at.n_tokens:
        raise ValueError(
            f"texts have {texts.shape[1]} tokens; with n_steps={n_steps} they must have "
            f"{at.n_tokens}"
        )
    is_wrong = wrong_tokens(texts, modulus, n_steps)
    if (stated := is_wrong[:, : at.colon + 1].any(axis=1)).any():
        raise ValueError(f"text {stated.argmax()} states no problem; check its first tokens")
    steps = (np.arange(at.n_tokens) - at.colon - 1) // _PER_STEP
    first = is_wrong.argmax(axis=1)
    found: np.ndarray = np.where(is_wrong.any(axis=1), steps[first], -1)
    return found
