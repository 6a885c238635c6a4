"""Biographies given as whole texts, with the token span of every name and value."""

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
    """A fixed number of tokenised texts of each person.

    Attributes:
        pieces: Names and values, among other pieces.
        names: The parts of each person's name.
        values: The pieces of each value.
        n_texts: Texts of each person; text t of person i is document ``i * n_texts + t``.
        tokens: All documents end to end, without end-of-text.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
        name_spans: Token span of the name in each document, end exclusive.
        value_spans: Token span of each value.
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
        """The group of each person: all people are in one group."""
        return np.zeros(len(self.values), dtype=np.int8)

    @property
    def augmentations(self) -> tuple[Augmentation, ...]:
        """The augmentation in terms of bioS: the texts repeat, with the name at any place."""
        return (Augmentation(n_paraphrases=self.n_texts, name_position=1),)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Everything that decides the documents except the augmentation."""
        return (self.names, self.values, self.tokens, self.starts, self.pieces.tokens)

    def render(
        self,
        people: Int64[np.ndarray, " documents"],
        texts: Int64[np.ndarray, " documents"],
        seed: int,  # noqa: ARG002 - texts are fixed, nothing is drawn
        eos: int,
    ) -> Biographies:
        """Text number ``texts[i]`` of each of ``people``; texts repeat after ``n_texts``.

        Args:
            people: Rows of the arrays.
            texts: Text number of each document.
            seed: Unused.
            eos: The token that begins every document.
        """
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
    """The tokens of texts, with the span of every fact that they must state.

    Args:
        texts: The texts.
        wanted: The facts that each text must state word for word, by name.
        vocabulary: A vocabulary with every word of the texts.
        names: Names of the texts in errors; by default their numbers.

    Raises:
        ValueError: If a text does not state one of its facts.
    """
    places = []
    for i, (text, facts) in enumerate(zip(texts, wanted, strict=True)):
        found = mentions(text, facts)
        if missing := [name for name in facts if name not in found]:
            called = f"text {i}" if names is None else names[i]
            raise ValueError(
                f"{called} does not state the {missing[0]} {facts[missing[0]]} in whole words, in "
                f"a mention of its own; correct it: {text}"
            )
        places.append(found)
    return tokenised(texts, places, vocabulary)


def tokenised(
    texts: Sequence[str], places: Sequence[Mapping[str, Span]], vocabulary: Vocabulary
) -> Tokenised:
    """The tokens of texts, the start of each text, and the token spans of some places.

    Args:
        texts: The texts.
        places: First and last character of each fact, with the same facts for every text.
        vocabulary: A vocabulary with every word of the texts.
    """
    encoded = vocabulary.encode_all(texts)
    spans = np.empty((len(texts), len(places[0]), 2), dtype=np.int32)
    for i, (_, of_token) in enumerate(encoded):
        first, last = np.array([*places[i].values()]).T
        # A token may begin with the space before its word, so its first character is too early.
        spans[i, :, 0] = np.searchsorted(of_token[:, 1], first, side="right")
        spans[i, :, 1] = np.searchsorted(of_token[:, 0], last, side="left")
    tokens = np.concatenate([ids for ids, _ in encoded])
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids, _ in encoded])])
    return tokens, starts, spans
