"""Classes and entropies of the tokens of biographies."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from physlm.data.annotation import LENGTH, POSITION, VALUE_FIRST, VALUE_LATER, AnnotatedDocuments
from physlm.data.corpus import Documents

if TYPE_CHECKING:
    from physlm.data.people.knowledge import KnowledgeCorpus
    from physlm.data.people.sentences import Biographies

TEMPLATE, NAME_FIRST, NAME_LATER = "template", "name_first", "name_later"
PRONOUN = "pronoun"
ATTRIBUTE = "attribute"

Part = tuple[int, ...]


def annotated_biographies(world: "KnowledgeCorpus", n_tokens: int) -> AnnotatedDocuments:
    """Biographies for measurement: one of each person in turn, until there are enough tokens.

    Classes are ``template`` (the words of sentence frames), ``name_first`` and ``name_later``,
    ``value_first`` and ``value_later`` (the first and the later tokens of a value), and
    ``pronoun`` for pronouns that state the gender. Tags of a value's token are the attribute, the
    number of tokens of the value, and the token's position in it, from 1; elsewhere they are "" and
    0.

    The entropy of a value's token is that for a reader who does not know the person, given the
    value's earlier tokens. It is estimated from the values of all people, and is too low if there
    are few people for many possible values. Parts of a value that are drawn separately, such as the
    year of a birth date, count as independent. The entropy of other tokens is not known.

    Args:
        world: The people.
        n_tokens: About how many tokens.
    """
    everyone = world.rendering(0, np.arange(world.n_people))
    n_documents = max(1, round(world.n_people * n_tokens / len(everyone.tokens)))
    parts = list(_renderings(world, n_documents))
    names = [attribute.name for attribute in world.attributes]
    n_values = world.sentences.values.shape[1]
    entropies = [_value_entropies(world, column) for column in range(n_values)]
    tags = [_tags(part, names, entropies) for part in parts]
    merged = {name: np.concatenate([tag[name] for tag in tags]) for name in tags[0]}
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return AnnotatedDocuments(
        documents=Documents(
            np.concatenate([part.tokens for part in parts]),
            np.concatenate([[0], np.cumsum(lengths)]),
        ),
        groups=np.concatenate([part.people for part in parts]),
        names=world.full_names(),
        classes=merged.pop("class"),
        entropy_nats=merged.pop("entropy_nats"),
        tags=merged,
    )


def _renderings(world: "KnowledgeCorpus", n_documents: int) -> Iterator["Biographies"]:
    """Texts of all people, a different one of each in every round."""
    for number, first in enumerate(range(0, n_documents, world.n_people)):
        yield world.rendering(number, np.arange(min(world.n_people, n_documents - first)))


def _value_entropies(
    world: "KnowledgeCorpus", column: int
) -> list[Float64[np.ndarray, " _tokens"]]:
    """Entropy of each token of every person's value, given the earlier tokens of its part.

    Parts are drawn independently: the pieces of a birth date, or the strings of a bioD value.
    """
    pieces, values = world.sentences.pieces, world.sentences.values[:, column]
    size = 1 if world.diversity is None else world.diversity.chunk_length
    found = [np.zeros(0)] * world.n_people
    for first in range(0, values.shape[1], size):
        rows = values[:, first : first + size].tolist()
        parts = [tuple(pieces.join(row).tolist()) if max(row) >= 0 else () for row in rows]
        entropies = _entropies(parts)
        for person, own in enumerate(parts):
            each = [entropies[own[:i]] for i in range(len(own))]
            found[person] = np.concatenate([found[person], each])
    return found


def _entropies(parts: Iterable[Part]) -> dict[Part, float]:
    """Entropy of the next token after each beginning of a part, in nats."""
    following: dict[Part, Counter[int]] = defaultdict(Counter)
    for part in parts:
        for i, token in enumerate(part):
            following[part[:i]][token] += 1
    return {beginning: _entropy(counts) for beginning, counts in following.items()}


def _entropy(counts: Counter[int]) -> float:
    p = np.array(list(counts.values()), dtype=np.float64) / counts.total()
    return float((p * np.log(1 / p)).sum())


def _tags(
    documents: "Biographies",
    names: list[str],
    entropies: list[list[Float64[np.ndarray, " _tokens"]]],
) -> dict[str, np.ndarray]:
    """Class, entropy, attribute, length of the value and position in it, of every token."""
    n = len(documents.tokens)
    classes, attributes = np.full(n, TEMPLATE, "U12"), np.full(n, "", "U24")
    entropy: Float64[np.ndarray, " tokens"] = np.full(n, np.nan)
    length, position = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for i, start in enumerate(documents.starts[:-1]):
        first, last = start + documents.name_spans[i]
        classes[first:last], classes[first : first + (last > first)] = NAME_LATER, NAME_FIRST
        for column, (first, last) in enumerate(start + documents.value_spans[i]):
            if last == first:
                continue
            if column == len(entropies):  # the gender, which has no value of its own
                classes[first:last] = PRONOUN
                continue
            attributes[first:last] = names[column]
            classes[first:last], classes[first] = VALUE_LATER, VALUE_FIRST
            length[first:last], position[first:last] = last - first, np.arange(last - first) + 1
            entropy[first:last] = entropies[column][documents.people[i]]
    return {
        "class": classes,
        "entropy_nats": entropy,
        ATTRIBUTE: attributes,
        LENGTH: length,
        POSITION: position,
    }
