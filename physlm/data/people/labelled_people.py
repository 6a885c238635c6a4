"""Biographies with false facts, or about names that nobody has, each as long as the true one."""

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.labelled import LabelledTexts, pairs, require_labelled_arguments
from physlm.data.people.sentences import Biographies, Sentences
from physlm.errors import InputError
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.data.people.knowledge import KnowledgeCorpus

_MOST_TRIES = 1000  # draws of one unknown name
_LEAST_PEOPLE = 200  # among whom partners are sought
_MOST_PARTNERS = 200  # tried for one person

Document = Int32[np.ndarray, " _tokens"]
Couple = tuple[int, int, list[int]]  # two documents, and the attributes to swap


class Falsehood(str, Enum):
    """How a biography is made false.

    ``swapped``: values of the person and of another one change places; each of the two is a
    problem. ``unknown``: the name is one that nobody has, made of parts of people's names.
    """

    swapped = "swapped"
    unknown = "unknown"


FALSEHOODS = tuple(falsehood.value for falsehood in Falsehood)


def labelled_biographies(
    world: "KnowledgeCorpus", n_problems: int, corruption: str, n_errors: int
) -> LabelledTexts:
    """A biography of each of ``n_problems`` people, and a false one; see ``Labelled``.

    The people are those of training, as their facts could not be known otherwise.

    Args:
        world: The people.
        n_problems: Number of people.
        corruption: One of `FALSEHOODS`.
        n_errors: Number of attributes with a false value; 1 for ``unknown``.

    Raises:
        ValueError: If an argument is out of range, or too few people can exchange so many values.
    """
    require_labelled_arguments(n_problems, corruption, n_errors, FALSEHOODS)
    if n_problems > world.n_people:
        raise ValueError(
            f"n_problems={n_problems} exceeds n_people={world.n_people}, and each problem is a "
            "person; lower it"
        )
    rng = stream(world.seed, "labelled", corruption, n_errors)
    order = rng.permutation(world.n_people)
    if Falsehood(corruption) is Falsehood.unknown:
        valid, wrong = _with_unknown_names(world, order[:n_problems], n_errors, rng)
    else:
        people = order[: max(2 * n_problems, _LEAST_PEOPLE)]
        valid, wrong = _with_swapped_values(world, people, n_problems, n_errors, rng)
    first = np.array([int((a != b).argmax()) for a, b in zip(valid, wrong, strict=True)])
    return pairs(valid, wrong, corruption, n_errors, error_position=first)


def _with_swapped_values(
    world: "KnowledgeCorpus",
    people: Int64[np.ndarray, " people"],
    n_problems: int,
    n_errors: int,
    rng: np.random.Generator,
) -> tuple[list[Document], list[Document]]:
    """True biographies, and the same with values of two people swapped.

    Args:
        world: The people.
        people: Those who may take part.
        n_problems: Number of biographies.
        n_errors: Values to swap.
        rng: Draws the attributes.
    """
    n_attributes = world.sentences.values.shape[1]
    if n_errors > n_attributes:
        raise ValueError(f"n_errors={n_errors} exceeds the {n_attributes} attributes; lower it")
    documents = world.rendering(0, people)
    texts = _texts(documents)
    spans = documents.value_spans[:, :n_attributes].tolist()
    valid, wrong = [], []
    for a, b, attributes in _couples(texts, spans, n_errors, rng):
        false_a, false_b = texts[a].copy(), texts[b].copy()
        for k in attributes:
            of_a, of_b = slice(*spans[a][k]), slice(*spans[b][k])
            false_a[of_a], false_b[of_b] = texts[b][of_b], texts[a][of_a]
        valid += [texts[a], texts[b]]
        wrong += [false_a, false_b]
        if len(valid) >= n_problems:
            return valid[:n_problems], wrong[:n_problems]
    raise ValueError(
        f"only {len(valid)} of {len(people)} people can exchange {n_errors} different values of "
        f"equal length, but n_problems={n_problems}; lower n_problems or n_errors"
    )


def _couples(
    texts: list[Document], spans: list[list[list[int]]], n_errors: int, rng: np.random.Generator
) -> Iterator[Couple]:
    """Couples of people, each person at most in one, with attributes that they can exchange.

    Args:
        texts: A document of each person.
        spans: Token span of each value; (0, 0) where it is not stated.
        n_errors: Attributes of a couple.
        rng: Draws the attributes.
    """
    free = list(reversed(range(len(texts))))
    while free:
        a = free.pop()
        for b in free[: -_MOST_PARTNERS - 1 : -1]:
            both = [
                k
                for k, (of_a, of_b) in enumerate(zip(spans[a], spans[b], strict=True))
                if 0 < of_a[1] - of_a[0] == of_b[1] - of_b[0]
                and not np.array_equal(texts[a][slice(*of_a)], texts[b][slice(*of_b)])
            ]
            if len(both) >= n_errors:
                free.remove(b)
                yield a, b, rng.permutation(both)[:n_errors].tolist()
                break


def _with_unknown_names(
    world: "KnowledgeCorpus",
    people: Int64[np.ndarray, " people"],
    n_errors: int,
    rng: np.random.Generator,
) -> tuple[list[Document], list[Document]]:
    """True biographies, and the same about names that nobody has.

    Args:
        world: The people.
        people: Those to write about.
        n_errors: Must be 1.
        rng: Draws the names.
    """
    if n_errors != 1:
        raise ValueError(f"n_errors={n_errors}; must be 1 with corruption=unknown")
    if not isinstance(world.sentences, Sentences):
        raise InputError("corruption=unknown needs texts from templates; use data=bios or biod")
    sources = np.tile(np.arange(world.n_people)[:, None], world.sentences.n_name_parts)
    sources[people] = _sources_of_names(world, world.sentences, people, rng)
    other = replace(world, sentences=_renamed(world.sentences, sources))
    return _texts(world.rendering(0, people)), _texts(other.rendering(0, people))


def _sources_of_names(
    world: "KnowledgeCorpus",
    sentences: Sentences,
    people: Int64[np.ndarray, " people"],
    rng: np.random.Generator,
) -> Int64[np.ndarray, "people parts"]:
    """The people whose name parts make up an unknown name for each person.

    Parts are as long as the person's own, and from people of the same group.

    Raises:
        ValueError: If no such name is found.
    """
    names, taken = world.name_parts(), set(world.name_parts())
    lengths = np.diff(sentences.pieces.starts)[sentences.names]
    sources = np.empty((len(people), lengths.shape[1]), dtype=np.int64)
    for row, person in enumerate(people.tolist()):
        alike = (lengths == lengths[person]) & (sentences.groups == sentences.groups[person])[
            :, None
        ]
        choices = [np.flatnonzero(own) for own in alike.T]
        for _ in range(_MOST_TRIES):
            drawn = [int(own[rng.integers(len(own))]) for own in choices]
            name = tuple(names[source][part] for part, source in enumerate(drawn))
            if name not in taken:
                sources[row] = drawn
                break
        else:
            raise ValueError(
                f"nearly every combination of name parts belongs to one of n_people="
                f"{world.n_people} people; use fewer people, or more names"
            )
    return sources


def _renamed(sentences: Sentences, sources: Int64[np.ndarray, "people parts"]) -> Sentences:
    """The same sentences with each part of a name taken from another person's."""
    augmentations = sentences.augmentations
    is_later = np.array([a.name_position > 0 for a in augmentations])[sentences.groups]
    is_repeated = ~np.array([a.has_pronoun for a in augmentations])[sentences.groups]
    second = sentences.translation
    return replace(
        sentences,
        openings=_taken(sentences.openings, sources, ~is_later, first=0),
        subjects=_taken(sentences.subjects, sources, is_repeated, first=0),
        namings=_taken(sentences.namings, sources, is_later, first=1),
        translation=second
        and replace(second, subjects=_taken(second.subjects, sources, is_repeated, first=0)),
    )


def _taken(
    rows: Int32[np.ndarray, "people pieces"],
    sources: Int64[np.ndarray, "people parts"],
    is_chosen: np.ndarray,
    *,
    first: int,
) -> Int32[np.ndarray, "people pieces"]:
    """Rows in which the parts of a name, from column ``first`` on, are those of other people."""
    found = rows.copy()
    for part, column in enumerate(range(first, min(first + sources.shape[1], rows.shape[1]))):
        found[is_chosen, column] = rows[sources[is_chosen, part], column]
    return found


def _texts(documents: Biographies) -> list[Document]:
    return np.split(documents.tokens, documents.starts[1:-1])
