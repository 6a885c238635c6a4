"""The language: its words and marks as token ids, and as text.

Ids are those of numbers, letters, function words, categories, other words of names, and marks.
"""

import re
from collections.abc import Iterable, Sequence

from physlm.data.tasks.igsm.world import WORLD

MODULUS = 23
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FUNCTION_WORDS = (
    *("The", "number", "of", "each", "'s", "equals"),
    *("more", "than", "times", "the", "sum", "difference", "and", "."),
    *("How", "many", "has", "?"),
    *("Define", "as", ";", "so", "=", "+", "-", "*"),
)
FIRST_LETTER = MODULUS
_FIRST_FUNCTION_WORD = FIRST_LETTER + len(LETTERS)
FIRST_CATEGORY = _FIRST_FUNCTION_WORD + len(_FUNCTION_WORDS)
N_CATEGORIES = len(WORLD.categories)
WORDS = (*map(str, range(MODULUS)), *LETTERS, *_FUNCTION_WORDS, *WORLD.name_words)

# Compiled code knows the function words by these names; the order is that of the list above.
THE, NUMBER, OF, EACH, POSSESSIVE, EQUALS = range(_FIRST_FUNCTION_WORD, _FIRST_FUNCTION_WORD + 6)
MORE, THAN, TIMES, THE_WITHIN, SUM, DIFFERENCE, AND, STOP = range(EQUALS + 1, EQUALS + 9)
HOW, MANY, HAS, QUESTION_MARK = range(STOP + 1, STOP + 5)
DEFINE, AS, SEMICOLON, SO, IS, PLUS, MINUS, PRODUCT = range(QUESTION_MARK + 1, FIRST_CATEGORY)

# The last three are for probes of hidden states.
MARKS = ("<problem>", "<solution>", "<answer>", "[back]", "<start>", "<mid>", "<end>")
PROBLEM, SOLUTION, ANSWER, BACK = range(len(WORDS), len(WORDS) + 4)
BOS = len(WORDS) + len(MARKS)

_UNSPACED = frozenset(("'s", ".", "?", ";"))
# Letters and digits that are not separated are one word: "3x" is not a number and a letter.
_WORD = re.compile(r"\[back\]|<\w+>|'s\b|\w+|\S")
_TYPOGRAPHIC = str.maketrans({"\u2212": "-", "\u00d7": "*", "\u2019": "'"})
END_OF_TEXT = "<|endoftext|>"


def spaced(word: str) -> str:
    """A word with the space before it, if it has one within a text."""
    return word if word in _UNSPACED else f" {word}"


def text_of(words: Iterable[str]) -> str:
    """Words as a text."""
    return "".join(map(spaced, words)).lstrip()


def words_of(text: str) -> list[str]:
    """The words of a text, with typographic operators and apostrophes as ours."""
    return _WORD.findall(text.replace(END_OF_TEXT, " ").translate(_TYPOGRAPHIC))


def words_of_tokens(tokens: Sequence[int]) -> list[str]:
    """The words and marks of token ids."""
    return [_ALL[token] for token in tokens]


def tokens_of_words(words: Iterable[str]) -> list[int]:
    """The token ids of words and marks."""
    return [_TOKEN_OF[word] for word in words]


_ALL = (*WORDS, *MARKS, END_OF_TEXT)
_TOKEN_OF = {word: token for token, word in enumerate(_ALL)}
