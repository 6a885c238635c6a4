"""Templates of solutions, and the bins that separate training from test problems.

The template of a solution has 0 for every number, the kind of each parameter for its name, and
letters renamed in order of appearance. A stable hash of it modulo 23 is its bin.

Source:
    Physics of Language Models, Part 2.1: problems for training and test differ in templates. The
    hash is FNV-1a (Fowler, Noll and Vo), mixed as in splitmix64.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from physlm.data.compilation import compiled_within
from physlm.data.splitmix import next_bits
from physlm.data.tasks.igsm.language import (
    AS,
    DEFINE,
    FIRST_CATEGORY,
    FIRST_LETTER,
    LETTERS,
    MODULUS,
    N_CATEGORIES,
    WORDS,
)
from physlm.data.tasks.igsm.world import WORLD

N_BINS = 23
FIRST_TEST_BIN = 17

# Symbols of templates are numbered by what they are, never by token ids, so that other words leave
# all bins as they are: 0, kinds of parameters, letters, then function words.
_NUMBER, _INSTANCE, _ABSTRACT, _FIRST_RENAMED = 0, 1, 2, 3
_FIRST_OTHER = _FIRST_RENAMED + len(LETTERS)
_OTHER = ("Define", "as", ";", "so", "=", "+", "-", "*", ".")
_LAST_LETTER = FIRST_LETTER + len(LETTERS) - 1

# Few operations have few templates: two have one operation, seven have two. This salt is the first
# with which the more common one of one operation is for training and the other for tests, and a
# quarter of the problems of two, three and four operations are test problems, with answers of the
# same law as all others. With others, all test problems of two operations may have the answer 0.
_SALT = 2269
_OFFSET, _PRIME = 0xCBF29CE484222325 ^ _SALT, 0x100000001B3
_START, _FACTOR = np.uint64(_OFFSET), np.uint64(_PRIME)
_SYMBOL_OF = np.array([_OTHER.index(w) if w in _OTHER else -1 for w in WORDS]) + _FIRST_OTHER


def template(words: Sequence[str]) -> list[str]:
    """The template of a solution.

    Args:
        words: The words of its sentences, without what follows them.
    """
    renamed: dict[str, str] = {}
    found: list[str] = []
    for i, word in enumerate(words):
        if found and found[-1] == "Define":
            found.append("")  # the kind, which the last word of the name decides
        if found and not found[-1] and word != "as":
            continue
        if word == "as":
            found[-1] = "abstract" if words[i - 1] in WORLD.categories else "instance"
        if word.isdigit():
            found.append("0")
        elif len(word) == 1 and word.isalpha():
            found.append(renamed.setdefault(word, LETTERS[len(renamed)]))
        else:
            found.append(word)
    return found


def bin_of(words: Sequence[str]) -> int:
    """The bin of a solution; see `template`."""
    state = _OFFSET
    for symbol in _symbols(template(words)):
        state = (state ^ symbol) * _PRIME % 2**64
    return _mixed(state) % N_BINS


def _symbols(words: Sequence[str]) -> Iterator[int]:
    known = ("0", "instance", "abstract", *LETTERS, *_OTHER)
    return (known.index(word) for word in words)


def _mixed(state: int) -> int:
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
    return state ^ state >> 31


@compiled_within
def token_bin(tokens, end, renamed):  # type: ignore[no-untyped-def]
    """The bin of a solution.

    Args:
        tokens: Holds the solution, from the first place on.
        end: The place after it.
        renamed: Room for the number of each letter.
    """
    for i in range(len(LETTERS)):
        renamed[i] = -1
    state, n_letters, is_name = _START, 0, False
    for t in range(end):
        token = tokens[t]
        if token == AS:
            is_abstract = FIRST_CATEGORY <= tokens[t - 1] < FIRST_CATEGORY + N_CATEGORIES
            state = (state ^ np.uint64(_ABSTRACT if is_abstract else _INSTANCE)) * _FACTOR
            is_name = False
        if is_name:
            continue
        is_name = token == DEFINE
        symbol = _NUMBER
        if FIRST_LETTER <= token <= _LAST_LETTER:
            if renamed[token - FIRST_LETTER] < 0:
                renamed[token - FIRST_LETTER] = n_letters
                n_letters += 1
            symbol = _FIRST_RENAMED + renamed[token - FIRST_LETTER]
        elif token >= MODULUS:
            symbol = _SYMBOL_OF[token]
        state = (state ^ np.uint64(symbol)) * _FACTOR
    _, mixed = next_bits(state)
    return np.int64(mixed % np.uint64(N_BINS))
