"""Biographies that were written as whole texts, with the place of every name and value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int32, Int64

from physlm.data.people.augmentation import Augmentation
from physlm.data.people.sentences import Biographies
from physlm.data.texts.mentions import Span, mentions
from physlm.data.tokens import Pieces, Vocabulary

Tokenised = tuple[
    Int32[np.ndarray, " tokens"], Int64[np.ndarray, " texts_1"], Int32[np.ndarray, "texts facts 2"]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedTexts:
    """So many texts of each person, tokenised.

    Attributes:
        pieces: Names and values, and whatever else was asked to be tokenised.
        names: The parts of each person's name.
        values: The pieces of each value.
        n_texts: Texts of each person; text t of person i is document ``i * n_texts + t``.
        tokens: All documents end to end, without end-of-text.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
        name_spans: Where each document gives the name, in its tokens, end exclusive.
        value_spans: Where it gives each value.
    """

    pieces: Pieces
    names: Int32[np.ndarray, "people parts"]
    values: Int32[np.ndarray, "people attributes chunks"]
    n_texts: int
    tokens: Int32[np.ndarray, " tokens"]
    starts: Int64[np.ndarray, " documents_1"]
    name_spans: Int32[np.ndarray, "documents 2"]
    value_spans: Int32[np.ndarray, "documents attributes 2"]

    @property
    def groups(self) -> Int8[np.ndarray, " people"]:
        """All people are of one group."""
        return np.zeros(len(self.values), dtype=np.int8)

    @property
    def augmentations(self) -> tuple[Augmentation, ...]:
        """The texts come again and again; the name may stand anywhere in them."""
        return (Augmentation(n_paraphrases=self.n_texts, name_position=1),)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All that decides the documents but how texts come about."""
        return (self.names, self.values, self.tokens, self.starts, self.pieces.tokens)

    def render(
        self,
        people: Int64[np.ndarray, " documents"],
        texts: Int64[np.ndarray, " documents"],
        seed: int,  # noqa: ARG002 - texts were drawn when they were written
        eos: int,
    ) -> Biographies:
        """Text number ``texts[i]`` of each of ``people``, the same whenever it is asked for."""
        documents = people * self.n_texts + texts % self.n_texts
        lengths = self.starts[documents + 1] - self.starts[documents]
        starts = np.concatenate([[0], np.cumsum(lengths + 1)])
        tokens = np.full(starts[-1], eos, dtype=np.int32)
        is_text = np.ones(starts[-1], dtype=bool)
        is_text[starts[:-1]] = False
        sources = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        tokens[is_text] = self.tokens[sources + np.repeat(self.starts[documents], lengths)]
        name_spans, value_spans = self.name_spans[documents] + 1, self.value_spans[documents] + 1
        return Biographies(tokens, starts, people, name_spans, value_spans)


def located(
    texts: Sequence[str],
    wanted: Sequence[Mapping[str, str]],
    vocabulary: Vocabulary,
    *,
    names: Sequence[str] | None = None,
) -> Tokenised:
    """The tokens of texts that say what is wanted, and where they do.

    Args:
        texts: What was written.
        wanted: For each text what it must say word for word, by name.
        vocabulary: Knows every word of the texts.
        names: What errors call the texts, which is their numbers by default.

    Raises:
        ValueError: If a text does not say what it must.
    """
    places = []
    for i, (text, facts) in enumerate(zip(texts, wanted, strict=True)):
        found = mentions(text, facts)
        if missing := [name for name in facts if name not in found]:
            called = f"text {i}" if names is None else names[i]
            raise ValueError(
                f"{called} does not say the {missing[0]} {facts[missing[0]]} in whole words, in a "
                f"place of its own: {text}"
            )
        places.append(found)
    return tokenised(texts, places, vocabulary)


def tokenised(
    texts: Sequence[str], places: Sequence[Mapping[str, Span]], vocabulary: Vocabulary
) -> Tokenised:
    """The tokens of texts, where each text starts, and the tokens of what stands at places.

    Args:
        texts: What was written.
        places: First and last character of what each text says, the same facts in all of them.
        vocabulary: Knows every word of the texts.
    """
    encoded = vocabulary.encode_all(texts)
    spans = np.empty((len(texts), len(places[0]), 2), dtype=np.int32)
    for i, (_, of_token) in enumerate(encoded):
        first, last = np.array([*places[i].values()]).T
        # A token may begin with the space before a word.
        spans[i, :, 0] = np.searchsorted(of_token[:, 1], first, side="right")
        spans[i, :, 1] = np.searchsorted(of_token[:, 0], last, side="left")
    tokens = np.concatenate([ids for ids, _ in encoded])
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids, _ in encoded])])
    return tokens, starts, spans
