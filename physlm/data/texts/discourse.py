"""Biographies without fixed sentence frames, from a grammar of discourse.

A biography is planned first and then put into words. The two attributes of each couple (birth,
studies, work) form one part or two; parts are ordered and distributed over sentences; each sentence
takes a pattern for its number of parts, in which every part takes one of the forms predicate,
opener, apposition, gerund, or statement with a subject of its own.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from physlm.data.people.pools import ATTRIBUTES, COUPLES, lines
from physlm.data.texts.mentions import Span

_BIRTH = frozenset(COUPLES[0])
_TOGETHER, _IN_ORDER, _BY_NAME = 0.6, 0.5, 0.25  # probabilities
_SENTENCE_SIZES = (1, 2, 3)
_FULL_NAME = "{name}"  # placeholder, filled in last

# Patterns for one, two and three parts. The digit of a form is the number of its part; {subject}
# may become a pronoun, {name} may not. Patterns of `_AFTER` state a sequence of events: they fit
# parts in the order of life, without the birth.
_ANY_TIME = {
    1: ("{subject} {predicate1}.", "{statement1}."),
    2: (
        "{subject} {predicate1} and {predicate2}.",
        "{opener1}, {subject} {predicate2}.",
        "{name}, {apposition1}, {predicate2}.",
        "{name}, who {predicate1}, {predicate2}.",
        "{subject} {predicate1}, and {statement2}.",
        "{statement1}; {subject} {predicate2}.",
    ),
    3: (
        "{subject} {predicate1}, {predicate2} and {predicate3}.",
        "{opener1}, {subject} {predicate2} and {predicate3}.",
        "{name}, {apposition1}, {predicate2} and {predicate3}.",
        "{name}, who {predicate1} and {predicate2}, {predicate3}.",
        "{subject} {predicate1} and {predicate2}, and {statement3}.",
    ),
}
_AFTER = {
    1: ("{connective}, {subject} {predicate1}.",),
    2: ("After {gerund1}, {subject} {predicate2}.", "{subject} {predicate1} before {gerund2}."),
    3: (
        "After {gerund1}, {subject} {predicate2} and {predicate3}.",
        "{subject} {predicate1} and {predicate2} before {gerund3}.",
    ),
}


class Person(NamedTuple):
    """The subject of a biography.

    Attributes:
        name: The full name.
        pronoun: ``He`` or ``She``.
        facts: The value of each attribute, as the text spells it.
    """

    name: str
    pronoun: str
    facts: Mapping[str, str]


class Biography(NamedTuple):
    """A biography, with the place of the name and of every value.

    Attributes:
        text: The text.
        places: First and last character, end exclusive, of the name and of each attribute's value.
    """

    text: str
    places: Mapping[str, Span]


def biography(
    person: Person, rng: np.random.Generator, *, uses_full_name: bool = False
) -> Biography:
    """A biography that states all six attributes of a person word for word.

    Args:
        person: The person.
        rng: The random generator.
        uses_full_name: Whether every sentence has the full name instead of a pronoun.
    """
    sentences: list[str] = []
    for parts in _divided(_plan(rng), rng):
        name = _FULL_NAME
        if sentences and not uses_full_name and rng.random() < 0.5:
            name = person.name.split()[-1]
        is_named = not sentences or uses_full_name or rng.random() < _BY_NAME
        subject = name if is_named else person.pronoun.lower()
        sentences.append(_sentence(parts, name, subject, person.pronoun.lower(), rng))
    return _filled(" ".join(sentences), {"name": person.name, **person.facts})


def _plan(rng: np.random.Generator) -> list[frozenset[str]]:
    """The parts of a biography in order, each a set of attributes stated together."""
    parts: list[frozenset[str]] = []
    for couple in COUPLES:
        together = [frozenset(couple)]
        apart = [frozenset([attribute]) for attribute in rng.permutation(couple).tolist()]
        parts += together if rng.random() < _TOGETHER else apart
    if rng.random() < _IN_ORDER:
        return parts
    return [parts[i] for i in rng.permutation(len(parts))]


def _divided(
    parts: Sequence[frozenset[str]], rng: np.random.Generator
) -> list[Sequence[frozenset[str]]]:
    """The parts divided into sentences."""
    sentences = []
    while parts:
        size = int(rng.choice(_SENTENCE_SIZES))
        sentences.append(parts[:size])
        parts = parts[size:]
    return sentences


def _sentence(
    parts: Sequence[frozenset[str]], name: str, subject: str, pronoun: str, rng: np.random.Generator
) -> str:
    """A sentence with placeholders for values and the full name.

    Args:
        parts: Attributes of each part.
        name: The name, or its placeholder.
        subject: The name, its placeholder, or the pronoun.
        pronoun: ``he`` or ``she``.
        rng: The random generator.
    """
    patterns = _ANY_TIME[len(parts)]
    if _is_in_order_of_life(parts) and (len(parts) > 1 or subject != _FULL_NAME):
        patterns += _AFTER[len(parts)]
    pattern = patterns[rng.integers(len(patterns))]
    own = {"he": "his", "she": "her"}[pronoun]
    is_own = subject == pronoun or not pattern.startswith("{statement")
    possessive = own if is_own else f"{name}'s"

    def worded(match: re.Match[str]) -> str:
        form, number = match[1], match[2]
        if not number:
            found = forms("connective")[frozenset()] if form == "connective" else ()
            words = {"subject": subject, "name": name}
            return words[form] if form in words else found[rng.integers(len(found))]
        options = forms(form)[parts[int(number) - 1]]
        text = options[rng.integers(len(options))].replace("{possessive}", possessive)
        if match.start() and text[0].isupper() and not text.startswith(name):
            text = text[0].lower() + text[1:]
        return text

    text = re.sub(r"{([a-z]+)(\d?)}", worded, pattern)
    return text[0].upper() + text[1:]


def _filled(text: str, values: Mapping[str, str]) -> Biography:
    """A text with its values filled in, and the place of the first mention of each."""
    filled, places = "", dict[str, Span]()
    for i, part in enumerate(re.split(r"{(\w+)}", text)):
        is_value = i % 2 == 1
        words = values[part] if is_value else part
        if is_value:
            places.setdefault(part, (len(filled), len(filled) + len(words)))
        filled += words
    assert places.keys() == values.keys()
    return Biography(filled, {key: places[key] for key in values})


def _is_in_order_of_life(parts: Sequence[frozenset[str]]) -> bool:
    """Whether the parts are in order of time, without the birth."""
    places = [min(map(ATTRIBUTES.index, part)) for part in parts]
    return places == sorted(places) and not any(part & _BIRTH for part in parts)


@cache
def forms(kind: str) -> dict[frozenset[str], tuple[str, ...]]:
    """The paraphrases of a form, by the attributes that they state."""
    found: dict[frozenset[str], list[str]] = {}
    for line in lines("discourse", kind):
        stated = frozenset(re.findall(r"{(\w+)}", line)) - {"possessive"}
        found.setdefault(stated, []).append(line)
    return {stated: tuple(texts) for stated, texts in found.items()}
