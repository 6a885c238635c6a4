"""Roles of earlier tokens for the token that a model of iGSM writes next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.tasks.igsm.language import (
    DIFFERENCE,
    MODULUS,
    MORE,
    SUM,
    THAN,
    TIMES,
    text_of,
    words_of_tokens,
)
from physlm.data.tasks.igsm.places import DocumentPlaces, OperationPlaces, SentencePlaces, places_of
from physlm.data.tasks.igsm.problem_reading import problem_of

# What is written next: the result of a calculation of two numbers; a number that is copied into a
# calculation; a letter or constant of the hint before it; the first word of a parameter's name.
ORIGINS = ("result", "number", "hint", "name")

# Every token up to the current one has one role; where two fit, the later of this list.
ROLES = (
    "other",  # all other sentences, and the rest of this one
    "bos",
    "question",
    "own_name",  # the name of the parameter that this sentence defines
    "statement",  # the rest of the parameter's sentence in the problem
    "statement_numbers",  # numbers and operator words of that sentence
    "definition",  # the rest of the sentences or operations that defined the letters
    "definition_letter",  # the letters that were defined there
    "definition_result",  # the numbers that were assigned to them
    "letters",  # the letters or constants that this is computed or copied from
    "operator",  # both operators of the calculation: between letters, and between numbers
    "numbers",  # the two numbers of the calculation
    "self",  # the current token, from which the next one is predicted
)

# The role that holds what is written next, or says where it is found.
SOURCES = {
    "result": "numbers",
    "number": "definition_result",
    "hint": "definition_letter",
    "name": "statement",
}

_ROLE = {name: number for number, name in enumerate(ROLES)}
_OPERATOR_WORDS = (MORE, THAN, TIMES, SUM, DIFFERENCE)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A token of a solution that is about to be written.

    Attributes:
        origin: Which of `ORIGINS` it is.
        at: The current token, from which it is predicted; it stands at ``at + 1``.
        roles: Number in `ROLES` of every token up to the current one.
    """

    origin: str
    at: int
    roles: Int64[np.ndarray, " tokens"]


def predictions_of(tokens: Int32[np.ndarray, " tokens"]) -> Iterator[Prediction]:
    """The predictions of a document in their order; parameters that are taken back have none.

    Args:
        tokens: A document with a right solution.
    """
    document = _Document(tokens.tolist())
    for sentence in document.places.sentences:
        if not sentence.operations:
            continue
        yield document.prediction("name", sentence.name[0], sentence, document.parents(sentence))
        for operation in sentence.operations:
            for term in operation.terms:
                yield document.prediction("hint", term, sentence, [term])
            if not operation.numbers:
                copied = operation.terms
                yield document.prediction("number", operation.result, sentence, copied, copied)
                continue
            for term, number in zip(operation.terms, operation.numbers, strict=True):
                yield document.prediction("number", number, sentence, [term], [term])
            yield document.result(sentence, operation)


class _Document:
    """A document whose tokens get roles.

    Args:
        tokens: Tokens of the document.
    """

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens
        self.places = places_of(tokens)
        problem = problem_of(words_of_tokens(tokens))
        names = [parameter.name for parameter in problem.rules]
        self._statement_of = dict(zip(names, self.places.statements, strict=True))
        self._base = np.full(len(tokens), _ROLE["other"])
        self._base[0] = _ROLE["bos"]
        self._base[list(self.places.question)] = _ROLE["question"]
        self._defined = _definitions(tokens, self.places)

    def prediction(
        self,
        origin: str,
        place: int,
        sentence: SentencePlaces,
        terms: Sequence[int],
        read: Sequence[int] = (),
    ) -> Prediction:
        """The prediction of the token at a place.

        Args:
            origin: Which of `ORIGINS` it is.
            place: Its position.
            sentence: The sentence that it belongs to.
            terms: Places of the letters whose definitions matter; constants have none.
            read: Places of the letters and constants that it is read from.
        """
        roles = self._base.copy()
        roles[list(sentence.name)] = _ROLE["own_name"]
        name = text_of(words_of_tokens([self._tokens[i] for i in sentence.name]))
        for own in self._statement_of.get(name, range(0)):
            token = self._tokens[own]
            is_number = token < MODULUS or token in _OPERATOR_WORDS
            roles[own] = _ROLE["statement_numbers" if is_number else "statement"]
        letters = [self._tokens[term] for term in terms if self._tokens[term] in self._defined]
        for role in ("definition", "definition_letter", "definition_result"):
            for letter in letters:
                roles[self._defined[letter][role]] = _ROLE[role]
        roles[list(read)] = _ROLE["letters"]
        return self._cut(origin, place, roles)

    def result(self, sentence: SentencePlaces, operation: OperationPlaces) -> Prediction:
        """The prediction of the result of a calculation."""
        found = self.prediction(
            "result", operation.result, sentence, operation.terms, operation.terms
        )
        found.roles[[operation.operator, operation.quoted_operator]] = _ROLE["operator"]
        found.roles[list(operation.numbers)] = _ROLE["numbers"]
        return found

    def parents(self, sentence: SentencePlaces) -> list[int]:
        """Places where a sentence uses letters of earlier sentences, or constants."""
        own = {self._tokens[operation.letter] for operation in sentence.operations}
        terms = [term for operation in sentence.operations for term in operation.terms]
        return [term for term in terms if self._tokens[term] not in own]

    def _cut(self, origin: str, place: int, roles: Int64[np.ndarray, " tokens"]) -> Prediction:
        own = roles[:place]
        own[-1] = _ROLE["self"]
        return Prediction(origin, place - 1, own)


def _definitions(tokens: list[int], places: DocumentPlaces) -> dict[int, dict[str, list[int]]]:
    """The places where each letter was defined, by role.

    A letter of a parameter is defined by a sentence, an intermediate one by an operation.
    """
    found = {}
    for sentence in places.sentences:
        for operation in sentence.operations:
            is_last = operation is sentence.operations[-1]
            whole = sentence.whole if is_last else operation.whole
            letters = [operation.letter, sentence.letter] if is_last else [operation.letter]
            found[tokens[operation.letter]] = {
                "definition": list(whole),
                "definition_letter": letters,
                "definition_result": [operation.result],
            }
    return found
