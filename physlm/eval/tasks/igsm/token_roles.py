"""The role of each token of a solution."""

from collections.abc import Iterator, Sequence

from physlm.data.tasks.igsm.language import END_OF_TEXT

# The names of parameters; letters as they are introduced, which are drawn at random, and letters
# that repeat one; operands, as letters and as numbers; results; the answer; and the words and marks
# between these.
PARAMETER, NEW_LETTER, LETTER, OPERAND = "parameter", "new_letter", "letter", "operand"
NUMBER, RESULT, ANSWER, FORMAT = "number", "result", "answer", "format"
ROLES = (PARAMETER, NEW_LETTER, LETTER, OPERAND, NUMBER, RESULT, ANSWER, FORMAT)

_FOLLOWING = {
    "Define": PARAMETER,
    "as": NEW_LETTER,
    ";": NEW_LETTER,
    "so": LETTER,
    "<answer>": ANSWER,
    ".": FORMAT,
    END_OF_TEXT: FORMAT,
}


def solution_roles(words: Sequence[str]) -> list[str]:
    """The role of each word of a right solution without wrong parameters.

    Args:
        words: Words of its sentences, the mark of the answer, the number, and what follows.
    """
    return list(_roles(words))


def _roles(words: Sequence[str]) -> Iterator[str]:
    role, n_equal = FORMAT, 0
    for i, word in enumerate(words):
        if word == "=":
            n_equal += 1
            is_last = words[i + 2] in (";", ".")
            role = RESULT if is_last else OPERAND if n_equal == 1 else NUMBER
            yield FORMAT
        elif word in _FOLLOWING:
            role, n_equal = _FOLLOWING[word], 0
            yield FORMAT
        else:
            yield role
