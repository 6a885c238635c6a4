"""Mentions of facts in a text: whole words, not within longer values, one mention per fact."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain, combinations, permutations, product

from physlm.data.people.pools import COUPLES, VALUE_POOLS, employers, pool

Span = tuple[int, int]  # first and last character of a mention, end exclusive


def mentions(text: str, wanted: Mapping[str, str]) -> dict[str, Span]:
    """The mention of each fact in a text, as its first and last character.

    A fact is mentioned where its value occurs in whole words, and not within a longer value of the
    pools or of this person. The first mention counts. Facts with the same value need a mention
    each; these are assigned by distance to the other fact of the couple, such as the employer for
    the company city. (In texts of the grammar about people born where they work, 94% of the
    assignments are the intended ones.)

    Args:
        text: The text.
        wanted: The name and values, by the names of facts.

    Returns:
        The mentions by the names of facts, without the facts that the text lacks.
    """
    rivals: dict[str, list[str]] = {}
    for fact, value in wanted.items():
        rivals.setdefault(value, []).append(fact)
    found: dict[str, Span] = {}
    for value, facts in sorted(rivals.items(), key=lambda rival: len(rival[1])):
        others = [other for other in rivals if value in other and other != value]
        spans = _own_spans(text, value, others)
        found |= _assigned(facts, spans, found)
    return {fact: found[fact] for fact in wanted if fact in found}


def _assigned(
    facts: Sequence[str], spans: Sequence[Span], found: Mapping[str, Span]
) -> dict[str, Span]:
    """An assignment of mentions to facts with the same value, as far as there are mentions."""
    if len(facts) == 1:
        return dict(zip(facts, spans, strict=False))

    def distance(fact: str, span: Span) -> float:
        other = found.get(_PARTNERS.get(fact, ""))
        return math.inf if other is None else max(span[0] - other[1], other[0] - span[1])

    n = min(len(facts), len(spans))
    ways = product(combinations(facts, n), permutations(spans, n))
    chosen, own = min(ways, key=lambda way: min(map(distance, *way), default=0))
    return dict(zip(chosen, own, strict=True))


def _own_spans(text: str, value: str, others: Sequence[str]) -> list[Span]:
    """Where a value occurs in whole words, but not within a longer value."""
    longer = [span for other in (*_longer_values(value), *others) for span in _spans(text, other)]
    return [
        (first, last)
        for first, last in _spans(text, value)
        if not any(a <= first and last <= b for a, b in longer)
    ]


def _spans(text: str, value: str) -> Iterator[Span]:
    """Where a value occurs in whole words."""
    first = text.find(value)
    while first >= 0:
        last = first + len(value)
        if not (_is_in_a_word(text, first) or _is_in_a_word(text, last)):
            yield first, last
        first = text.find(value, first + 1)


def _is_in_a_word(text: str, place: int) -> bool:
    """Whether a place between two characters is inside a word."""
    return bool(re.fullmatch(r"\w\w", text[max(place - 1, 0) : place + 1]))


@lru_cache(maxsize=4096)
def _longer_values(value: str) -> tuple[str, ...]:
    """Values of all pools that contain this one."""
    return tuple(other for other in _all_values() if value in other and other != value)


@cache
def _all_values() -> tuple[str, ...]:
    pools = [pool(name) for name in VALUE_POOLS]
    return tuple(dict.fromkeys([*chain(*pools), *chain(*employers())]))


_PARTNERS = {one: other for a, b in COUPLES for one, other in ((a, b), (b, a))}
