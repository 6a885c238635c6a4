"""Reading solutions: from text to sentences and their operations."""

from collections.abc import Sequence
from dataclasses import dataclass

from physlm.data.tasks.igsm.language import LETTERS, text_of, words_of

_OPERATORS = ("+", "-", "*")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, such as r = d - k = 15 - 9 = 6.

    Attributes:
        letter: The letter that is defined.
        terms: Letters or numbers that it is computed from; one if it is equal to that.
        operator: The operator between the terms; empty if there is only one.
        numbers: The number quoted for each term.
        quoted_operator: The operator between the numbers.
        result: The number that is given for the letter.
    """

    letter: str
    terms: tuple[str, ...]
    operator: str
    numbers: tuple[int, ...]
    quoted_operator: str
    result: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """The definition of a parameter.

    Attributes:
        name: Name of the parameter.
        letter: The letter that it is defined as.
        operations: The last one defines the letter.
        is_back: Whether it is taken back instead of being computed.
    """

    name: str
    letter: str = ""
    operations: tuple[Operation, ...] = ()
    is_back: bool = False


@dataclass(frozen=True, slots=True)
class Solution:
    """A solution as it was written.

    Attributes:
        sentences: Each sentence; its text if it does not parse.
        answer: The number after the answer mark; None if there is not exactly one.
    """

    sentences: tuple[Sentence | str, ...]
    answer: int | None


def read_solution(text: str) -> Solution:
    """Read a solution, with or without the mark before it.

    Args:
        text: Sentences, the answer mark and a number, as a model writes them.
    """
    words = words_of(text)
    words = words[1:] if words[:1] == ["<solution>"] else words
    at = words.index("<answer>") if "<answer>" in words else len(words)
    sentences: list[list[str]] = [[]]
    for word in words[:at]:
        if word == ".":
            sentences.append([])
        else:
            sentences[-1].append(word)
    kept = sentences if sentences[-1] else sentences[:-1]
    is_one = len(words) == at + 2 and _is_number(words[-1:])
    return Solution(
        tuple(_sentence(own) or text_of(own) for own in kept), int(words[-1]) if is_one else None
    )


def _sentence(words: Sequence[str]) -> Sentence | None:
    """A sentence; None if it does not parse."""
    if words[:1] != ["Define"] or "as" not in words:
        return None
    at = words.index("as")
    name = text_of(words[1:at])
    if words[at + 1 :] == ["[back]"]:
        return Sentence(name, is_back=True)
    parts = _split(words[at + 1 :], ";")
    if len(parts) < 2 or not _is_letter(parts[0]) or parts[-1][:1] != ["so"]:
        return None
    found = [_operation(part) for part in (*parts[1:-1], parts[-1][1:])]
    operations = tuple(operation for operation in found if operation is not None)
    return Sentence(name, parts[0][0], operations) if len(operations) == len(found) else None


def _operation(words: Sequence[str]) -> Operation | None:
    """An operation; None if it does not parse.

    It is ``v = 5``, ``v = x = 5``, or ``v = x + y = 2 + 3 = 5``.
    """
    parts = _split(words, "=")
    if not _is_letter(parts[0]) or len(parts) < 2 or not _is_number(parts[-1]):
        return None
    letter, middle = parts[0][0], parts[1:]
    result = int(middle[-1][0])
    if len(middle) == 1:
        return Operation(letter, (middle[0][0],), "", (result,), "", result)
    if len(middle) == 2 and _is_letter(middle[0]):
        return Operation(letter, (middle[0][0],), "", (result,), "", result)
    if len(middle) == 3 and _is_combined(middle[0]) and _is_combined(middle[1]):
        (left, operator, right), (first, quoted, second) = middle[:2]
        if _is_number([first]) and _is_number([second]):
            numbers = (int(first), int(second))
            return Operation(letter, (left, right), operator, numbers, quoted, result)
    return None


def _is_combined(words: Sequence[str]) -> bool:
    """Whether words are letters or numbers with an operator between them."""
    terms_are_known = all(_is_letter([word]) or _is_number([word]) for word in words[::2])
    return len(words) == 3 and words[1] in _OPERATORS and terms_are_known


def _split(words: Sequence[str], mark: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == mark:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _is_letter(words: Sequence[str]) -> bool:
    return len(words) == 1 and len(words[0]) == 1 and words[0] in LETTERS


def _is_number(words: Sequence[str]) -> bool:
    is_one = len(words) == 1 and len(words[0]) <= 2  # there are no numbers of three digits
    return is_one and words[0].isascii() and words[0].isdecimal()
