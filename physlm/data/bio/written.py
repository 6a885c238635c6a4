"""Biographies that were written as whole texts, with the place of every name and value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int32, Int64

from physlm.data.bio.sentences import Biographies, Telling
from physlm.data.tokens import Pieces, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTexts:
    """So many texts of each person, tokenised.

    Attributes:
        pieces: Names and values, and whatever else was asked to be tokenised.
        names: The parts of each person's name.
        values: The pieces of each value.
        n_texts: Texts of each person; text t of person i is document ``i * n_texts + t``.
        tokens: All documents end to end, without end-of-text.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
        name_spans: Where each document first gives the name, in its tokens, end exclusive.
        value_spans: Where it first gives each value.
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
    def tellings(self) -> tuple[Telling, ...]:
        """The texts come again and again; the name may stand anywhere in them."""
        return (Telling(n_wordings=self.n_texts, name_after=1),)

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
) -> tuple[Int32[np.ndarray, " tokens"], Int64[np.ndarray, " texts_1"], Int32[np.ndarray, "..."]]:
    """The tokens of texts, where each text starts, and where it first says what is wanted.

    Args:
        texts: What was written.
        wanted: For each text what it must say word for word, by name.
        vocabulary: Knows every word of the texts.

    Raises:
        ValueError: If a text does not say what it must.
    """
    encoded = vocabulary.encode_all(texts)
    spans = np.empty((len(texts), len(wanted[0]), 2), dtype=np.int32)
    for i, (text, (_, places)) in enumerate(zip(texts, encoded, strict=True)):
        for j, (name, value) in enumerate(wanted[i].items()):
            first = text.find(value)
            if first < 0:
                raise ValueError(f"text {i} does not say the {name} {value}: {text}")
            # A token may begin with the space before a word.
            spans[i, j, 0] = np.searchsorted(places[:, 1], first, side="right")
            spans[i, j, 1] = np.searchsorted(places[:, 0], first + len(value), side="left")
    tokens = np.concatenate([ids for ids, _ in encoded])
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids, _ in encoded])])
    return tokens, starts, spans
