"""Biographies assembled from pre-tokenised pieces, in compiled code.

A document is end-of-text and one sentence for each attribute; a sentence is a subject, the words
before the value, the value and the words after it. All of these are pieces (`physlm.data.tokens`),
so rendering is drawing an order and templates, then copying.
"""

from dataclasses import dataclass

import numba
import numpy as np
from jaxtyping import Int32, Int64

from physlm.data.corpus import Documents
from physlm.data.splitmix import below, next_bits, stream_of
from physlm.data.tokens import Pieces


@dataclass(frozen=True, slots=True)
class Biographies(Documents):
    """Rendered documents with the truth beside them.

    Spans are token positions relative to the document's end-of-text (position 0), end exclusive;
    the position before an attribute's value is ``value_spans[i, a, 0] - 1``. A span of (0, 0)
    says that the document does not state the attribute.

    Attributes:
        people: The person each document is about.
        name_ends: The name at the document's start is ``tokens[1:name_end]``.
        value_spans: Where each attribute's value stands; the pronoun comes last.
    """

    people: Int64[np.ndarray, " documents"]
    name_ends: Int32[np.ndarray, " documents"]
    value_spans: Int32[np.ndarray, "documents attributes 2"]


@dataclass(frozen=True, slots=True)
class Sentences:
    """Everything a document can be made of, as piece numbers; -1 stands for no piece.

    Attributes:
        pieces: The tokenised pieces.
        n_name_parts: How many pieces of the opening subject are the name.
        first_subjects: The name as it opens the document, and what binds it to the sentence.
        later_subjects: The subject of every later sentence.
        values: The value of each attribute of each person.
        prefixes: Words between subject and value, one row of templates per attribute.
        suffixes: Words after the value, same shape.
        n_templates: How many templates each attribute has.
        has_pronoun: The later subject is a pronoun, hence tells the gender.
        random_order: Sentences come in an order drawn per document, else in the given one.
    """

    pieces: Pieces
    n_name_parts: int
    first_subjects: Int32[np.ndarray, "people name_parts"]
    later_subjects: Int32[np.ndarray, "people subject_parts"]
    values: Int32[np.ndarray, "people attributes chunks"]
    prefixes: Int32[np.ndarray, "attributes templates"]
    suffixes: Int32[np.ndarray, "attributes templates"]
    n_templates: Int32[np.ndarray, " attributes"]
    has_pronoun: bool
    random_order: bool

    def render(self, people: Int64[np.ndarray, " documents"], key: int, eos: int) -> Biographies:
        """One document for each of ``people``; order and templates follow from (key, person)."""
        plan = _draw_plans(people, np.uint64(key), self.n_templates, self.random_order)
        pieces = (self.pieces.tokens, self.pieces.starts)
        subjects = (self.first_subjects, self.later_subjects)
        texts = (self.values, self.prefixes, self.suffixes)
        starts = _measure(people, plan, self.pieces.starts, subjects, texts)
        tokens, name_ends, value_spans = _copy(
            people, plan, starts, pieces, subjects, texts, eos, self.n_name_parts, self.has_pronoun
        )
        return Biographies(tokens, starts, people, name_ends, value_spans)


@numba.njit(cache=True, nogil=True)
def _draw_plans(people, key, n_templates, random_order):  # type: ignore[no-untyped-def]
    """For each document and sentence: which attribute, in which template."""
    n_attributes = len(n_templates)
    plan = np.empty((len(people), n_attributes, 2), dtype=np.int32)
    for i in range(len(people)):
        state = stream_of(key, people[i])
        for j in range(n_attributes):
            plan[i, j, 0] = j
        if random_order:
            for j in range(n_attributes - 1, 0, -1):
                state, bits = next_bits(state)
                k = below(bits, j + 1)
                plan[i, j, 0], plan[i, k, 0] = plan[i, k, 0], plan[i, j, 0]
        for j in range(n_attributes):
            state, bits = next_bits(state)
            plan[i, j, 1] = below(bits, n_templates[plan[i, j, 0]])
    return plan


@numba.njit(inline="always")
def _length(piece, piece_starts):  # type: ignore[no-untyped-def]
    return piece_starts[piece + 1] - piece_starts[piece] if piece >= 0 else np.int64(0)


@numba.njit(cache=True, nogil=True)
def _measure(people, plan, piece_starts, subjects, texts):  # type: ignore[no-untyped-def]
    """Where each document starts; the last entry is the total length."""
    first_subjects, later_subjects = subjects
    values, prefixes, suffixes = texts
    starts = np.empty(len(people) + 1, dtype=np.int64)
    starts[0] = 0
    n_sentences = plan.shape[1]
    for i in range(len(people)):
        person = people[i]
        length = np.int64(1)
        for part in range(first_subjects.shape[1]):
            length += _length(first_subjects[person, part], piece_starts)
        later = np.int64(0)
        for part in range(later_subjects.shape[1]):
            later += _length(later_subjects[person, part], piece_starts)
        length += later * (n_sentences - 1)
        for j in range(n_sentences):
            attribute, template = plan[i, j]
            length += _length(prefixes[attribute, template], piece_starts)
            length += _length(suffixes[attribute, template], piece_starts)
            for chunk in range(values.shape[2]):
                length += _length(values[person, attribute, chunk], piece_starts)
        starts[i + 1] = starts[i] + length
    return starts


@numba.njit(inline="always")
def _append(tokens, position, piece, piece_tokens, piece_starts):  # type: ignore[no-untyped-def]
    if piece >= 0:
        for source in range(piece_starts[piece], piece_starts[piece + 1]):
            tokens[position] = piece_tokens[source]
            position += 1
    return position


@numba.njit(cache=True, nogil=True)
def _copy(people, plan, starts, pieces, subjects, texts, eos, n_name_parts, has_pronoun):  # type: ignore[no-untyped-def]
    """Tokens of all documents, the end of each name and the span of each value."""
    piece_tokens, piece_starts = pieces
    first_subjects, later_subjects = subjects
    values, prefixes, suffixes = texts
    n_attributes = plan.shape[1]
    tokens = np.empty(starts[-1], dtype=np.int32)
    name_ends = np.empty(len(people), dtype=np.int32)
    spans = np.zeros((len(people), n_attributes + has_pronoun, 2), dtype=np.int32)
    for i in range(len(people)):
        person, start = people[i], starts[i]
        tokens[start] = eos
        position = start + 1
        for part in range(first_subjects.shape[1]):
            piece = first_subjects[person, part]
            position = _append(tokens, position, piece, piece_tokens, piece_starts)
            if part == n_name_parts - 1:
                name_ends[i] = position - start
        for j in range(n_attributes):
            attribute, template = plan[i, j]
            if j > 0:
                before = position
                for part in range(later_subjects.shape[1]):
                    piece = later_subjects[person, part]
                    position = _append(tokens, position, piece, piece_tokens, piece_starts)
                if j == 1 and has_pronoun:
                    spans[i, n_attributes, 0] = before - start
                    spans[i, n_attributes, 1] = position - start
            piece = prefixes[attribute, template]
            position = _append(tokens, position, piece, piece_tokens, piece_starts)
            spans[i, attribute, 0] = position - start
            for chunk in range(values.shape[2]):
                piece = values[person, attribute, chunk]
                position = _append(tokens, position, piece, piece_tokens, piece_starts)
            spans[i, attribute, 1] = position - start
            piece = suffixes[attribute, template]
            position = _append(tokens, position, piece, piece_tokens, piece_starts)
    return tokens, name_ends, spans
