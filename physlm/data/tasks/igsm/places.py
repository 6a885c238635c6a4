"""Where everything stands in a document: statements, question, sentences and their operations.

Places are token positions, from 0 for ``bos``. Only the form is read, not whether the solution is
right, so a wrong solution of the same form has places, too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from physlm.data.tasks.igsm.language import (
    ANSWER,
    AS,
    BACK,
    IS,
    PROBLEM,
    QUESTION_MARK,
    SEMICOLON,
    SO,
    SOLUTION,
    STOP,
    text_of,
    words_of_tokens,
)

Document = Int32[np.ndarray, " _tokens"]  # a whole one


@dataclass(frozen=True, slots=True)
class OperationPlaces:
    """Places of an operation, such as r = d - k = 15 - 9 = 6.

    Attributes:
        whole: All of it, from its letter to its result.
        terms: Letters or constants that it is computed from; none in ``r = 6``.
        operator: The operator between the terms; -1 if there are not two.
        numbers: The numbers quoted for the terms; none in ``r = d = 6``, where it is the result.
        quoted_operator: The operator between the numbers; -1 if there are none.
    """

    whole: range
    terms: tuple[int, ...]
    operator: int
    numbers: tuple[int, ...]
    quoted_operator: int

    @property
    def letter(self) -> int:
        """The letter that it defines."""
        return self.whole[0]

    @property
    def result(self) -> int:
        """Its result."""
        return self.whole[-1]


@dataclass(frozen=True, slots=True)
class SentencePlaces:
    """Places of the definition of a parameter.

    Attributes:
        whole: All of it, from ``Define`` to the full stop.
        name: The name of the parameter.
        operations: The last one defines its letter; none if it is taken back.
    """

    whole: range
    name: range
    operations: tuple[OperationPlaces, ...]

    @property
    def letter(self) -> int:
        """The first place of the letter, after ``as``."""
        return self.name[-1] + 2


@dataclass(frozen=True, slots=True)
class DocumentPlaces:
    """Places of a document.

    Attributes:
        statements: The sentences of the problem, each with its full stop, in their order.
        question: The question, with its mark.
        sentences: The sentences of the solution, in their order.
        answer: The number after the answer mark, the last token.
    """

    statements: tuple[range, ...]
    question: range
    sentences: tuple[SentencePlaces, ...]
    answer: int

    @property
    def operations(self) -> tuple[OperationPlaces, ...]:
        """The operations of all sentences, in their order."""
        return tuple(own for sentence in self.sentences for own in sentence.operations)


def places_of(tokens: Sequence[int]) -> DocumentPlaces:
    """The places of a document of iGSM.

    Args:
        tokens: A whole document: ``bos``, problem and question, solution, answer.

    Raises:
        ValueError: If it has another form.
    """
    tokens = list(tokens)
    marks = [tokens.index(mark) for mark in (PROBLEM, SOLUTION, ANSWER) if tokens.count(mark) == 1]
    if len(marks) < 3 or marks[0] != 1 or marks[2] != len(tokens) - 2:
        raise ValueError("a document is bos, <problem>, <solution>, <answer> and one number")
    _, solution, answer = marks
    parts = list(_parts(tokens, range(2, solution), (STOP, QUESTION_MARK)))
    questions = [part for part in parts if tokens[part[-1]] == QUESTION_MARK]
    if len(questions) != 1:
        raise ValueError(f"a document has one question, not {len(questions)}")
    return DocumentPlaces(
        statements=tuple(part for part in parts if part != questions[0]),
        question=questions[0],
        sentences=tuple(
            _sentence(tokens, part) for part in _parts(tokens, range(solution + 1, answer), (STOP,))
        ),
        answer=answer + 1,
    )


def _parts(tokens: list[int], within: range, ends: tuple[int, ...]) -> Iterator[range]:
    """Spans that end with one of some tokens, which belongs to them."""
    first = within.start
    for place in within:
        if tokens[place] in ends:
            yield range(first, place + 1)
            first = place + 1
    if first != within.stop:
        raise _unreadable(tokens, range(first, within.stop))


def _sentence(tokens: list[int], whole: range) -> SentencePlaces:
    own = tokens[whole.start : whole.stop]
    if AS not in own:
        raise _unreadable(tokens, whole)
    at = whole.start + own.index(AS)
    name = range(whole.start + 1, at)
    if tokens[at + 1] == BACK:
        return SentencePlaces(whole, name, ())
    # The full stop stands for the semicolon after the last operation.
    parts = _parts(tokens, range(at + 3, whole.stop), (SEMICOLON, STOP))
    return SentencePlaces(whole, name, tuple(_operation(tokens, part) for part in parts))


def _operation(tokens: list[int], part: range) -> OperationPlaces:
    first = part.start + (tokens[part.start] == SO)
    whole = range(first, part.stop - 1)
    n_signs = sum(tokens[place] == IS for place in whole)
    if (len(whole), n_signs) == (11, 3):
        left, right, first_number, second_number = (first + at for at in (2, 4, 6, 8))
        numbers = (first_number, second_number)
        return OperationPlaces(whole, (left, right), left + 1, numbers, first_number + 1)
    if (len(whole), n_signs) == (5, 2):
        return OperationPlaces(whole, (first + 2,), -1, (), -1)
    if (len(whole), n_signs) == (3, 1):
        return OperationPlaces(whole, (), -1, (), -1)
    raise _unreadable(tokens, part)


def _unreadable(tokens: list[int], part: range) -> ValueError:
    words = words_of_tokens(tokens[part.start : part.stop])
    return ValueError(f"not a sentence of a document: {text_of(words)!r}")
