"""Biographies rendered from sentence templates, with the token span of every fact."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int32, Int64

from physlm.data.corpus import Documents
from physlm.data.people.assembly import assemble
from physlm.data.people.augmentation import Augmentation, Order
from physlm.data.people.sentence_plans import draw_plans, rows_of
from physlm.data.tokens import Pieces
from physlm.rng import stream_key


@dataclass(frozen=True, slots=True)
class Biographies(Documents):
    """Rendered documents, with the person and the token spans of each.

    Spans are token positions relative to the document's end-of-text (position 0), end exclusive;
    the position before an attribute's value is ``value_spans[i, a, 0] - 1``. A span of (0, 0)
    marks an attribute that the document does not state.

    Attributes:
        people: The person each document is about.
        name_spans: Span of the first mention of the name.
        value_spans: Span of each attribute's value; the last is the pronoun, for the gender.
    """

    people: Int64[np.ndarray, " documents"]
    name_spans: Int32[np.ndarray, "documents 2"]
    value_spans: Int32[np.ndarray, "documents attributes 2"]

    def marked(self, domain: int) -> "Biographies":
        """The same documents with a domain token after each end-of-text."""
        firsts = self.starts[:-1] + 1
        name_spans, value_spans = (
            spans + (spans[..., 1:] > 0) for spans in (self.name_spans, self.value_spans)
        )
        return Biographies(
            np.insert(self.tokens, firsts, domain),
            self.starts + np.arange(len(self.starts)),
            self.people,
            name_spans,
            value_spans,
        )


@dataclass(frozen=True, slots=True)
class Translation:
    """The second language of texts.

    Attributes:
        subjects: Subject of every sentence after the first.
        first_templates: First template of each attribute in this language.
        n_templates: Number of templates of each attribute in this language.
    """

    subjects: Int32[np.ndarray, "people subject_parts"]
    first_templates: Int32[np.ndarray, " attributes"]
    n_templates: Int32[np.ndarray, " attributes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """Biographies as piece numbers, from which any text of any person is rendered.

    -1 stands for no piece.

    Attributes:
        pieces: The tokenised pieces.
        n_name_parts: Pieces of a name.
        openings: Subject of the first sentence: the name and what connects it to the sentence, or
            a pronoun if a later sentence gives the name.
        subjects: Subject of every later sentence.
        namings: The sentence that only gives the name: words, the parts of the name, words.
        values: The value of each attribute of each person.
        prefixes: Words between subject and value, one row of templates per attribute.
        suffixes: Words after the value, same shape.
        n_templates: Number of templates of each attribute in the first language.
        augmentations: The augmentation of each group of people.
        groups: The group of each person.
        translation: The second language, if there is one.
    """

    pieces: Pieces
    n_name_parts: int
    openings: Int32[np.ndarray, "people opening_parts"]
    subjects: Int32[np.ndarray, "people subject_parts"]
    namings: Int32[np.ndarray, "people naming_parts"]
    values: Int32[np.ndarray, "people attributes chunks"]
    prefixes: Int32[np.ndarray, "attributes templates"]
    suffixes: Int32[np.ndarray, "attributes templates"]
    n_templates: Int32[np.ndarray, " attributes"]
    augmentations: tuple[Augmentation, ...]
    groups: Int8[np.ndarray, " people"]
    translation: Translation | None = None

    @property
    def names(self) -> Int32[np.ndarray, "people parts"]:
        """The parts of each person's name, as the texts spell it."""
        rows: np.ndarray = self.openings[:, : self.n_name_parts].copy()
        is_named_later = np.array([a.name_position > 0 for a in self.augmentations])[self.groups]
        if is_named_later.any():
            rows[is_named_later] = self.namings[is_named_later, 1 : 1 + self.n_name_parts]
        return rows

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Everything that decides the documents except the augmentations, for the fingerprint."""
        second, optional = self.translation, []
        if second is not None:
            n_languages = np.array([a.n_languages for a in self.augmentations])
            optional = [n_languages, second.subjects, second.first_templates, second.n_templates]
        if any(a.n_omitted for a in self.augmentations):
            optional.append(np.array([a.n_omitted for a in self.augmentations]))
        return (
            self.openings,
            self.subjects,
            self.namings,
            self.values,
            self.prefixes,
            self.suffixes,
            self.n_templates,
            self.groups,
            self.pieces.tokens,
            self.pieces.starts,
            *optional,
        )

    @property
    def wording_bits(self) -> float | None:
        """Entropy of the templates and orders of all texts, given the facts, in bits.

        A model that keeps all texts word for word stores these bits besides the facts. None if
        texts are drawn anew at every exposure, or are in two languages.
        """
        sizes = np.bincount(self.groups, minlength=len(self.augmentations)).tolist()
        each = [self._wording_bits(a) for a in self.augmentations]
        known = [bits for bits in each if bits is not None]
        if len(known) < len(each):
            return None
        return math.fsum(size * bits for size, bits in zip(sizes, known, strict=True))

    def _wording_bits(self, augmentation: Augmentation) -> float | None:
        """The same for one person."""
        if not augmentation.n_texts or augmentation.n_languages > 1:
            return None
        n_stated = len(self.n_templates) - augmentation.n_omitted
        n_moved = {Order.random: n_stated, Order.coupled: n_stated // 2, Order.fixed: 1}
        order = math.log2(math.factorial(n_moved[augmentation.order]))
        templates = float(np.log2(self.n_templates[:n_stated]).sum())
        return augmentation.n_paraphrases * (templates + augmentation.n_permutations * order)

    def render(
        self,
        people: Int64[np.ndarray, " documents"],
        texts: Int64[np.ndarray, " documents"],
        seed: int,
        eos: int,
        identities: Int64[np.ndarray, " documents"] | None = None,
    ) -> Biographies:
        """Text number ``texts[i]`` of each of ``people``: a pure function of the arguments.

        Args:
            people: Rows of the arrays.
            texts: Text number of each document.
            seed: Seed of paraphrases and orders.
            eos: The token that begins every document.
            identities: Numbers of the people, if the arrays hold only some of a population; they
                choose the random streams and appear in the result.
        """
        identities = people if identities is None else identities
        plan, languages = self._plan(people, identities, texts, seed)
        translated = self.subjects if self.translation is None else self.translation.subjects
        width = max(self.openings.shape[1], self.subjects.shape[1], translated.shape[1])
        rows = rows_of(
            people,
            plan,
            languages,
            self.openings,
            (self.subjects, translated),
            self.namings,
            (self.values, self.prefixes, self.suffixes),
            width,
        )
        documents = assemble(rows.reshape(len(people), -1), self.pieces, eos)
        name, values = self._columns(people, plan, width, rows.shape[2])
        value_spans = documents.spans(values[..., 0], values[..., 1])
        value_spans[values[..., 1] == 0] = 0
        return Biographies(
            documents.tokens,
            documents.starts,
            identities,
            documents.spans(name[:, 0], name[:, 1]),
            value_spans,
        )

    def _plan(
        self, people: np.ndarray, identities: np.ndarray, texts: np.ndarray, seed: int
    ) -> tuple[Int32[np.ndarray, "documents sentences 2"], Int64[np.ndarray, " documents"]]:
        """Attribute and template of each sentence of each document, and each document's language.

        Args:
            people: Rows of the arrays.
            identities: Numbers of the people, which choose the random streams.
            texts: Text number of each document.
            seed: Seed of paraphrases and orders.
        """
        groups = self.groups[people]
        n_texts, n_permutations, n_languages, n_omitted, kinds, name_position = self._settings(
            groups
        )
        # A text number counts languages fastest, then permutations, then paraphrases.
        numbers = np.where(n_texts > 0, texts % np.maximum(n_texts, 1), texts)
        languages, numbers = numbers % n_languages, numbers // n_languages
        paraphrases = np.where(n_texts > 0, numbers // n_permutations, numbers)
        keys = (np.uint64(stream_key(seed, "wordings")), np.uint64(stream_key(seed, "orders")))
        n_sentences = len(self.n_templates) + any(a.name_position for a in self.augmentations)
        firsts, counts = [np.zeros_like(self.n_templates)], [self.n_templates]
        if self.translation is not None:
            firsts.append(self.translation.first_templates)
            counts.append(self.translation.n_templates)
        plan: np.ndarray = draw_plans(
            identities,
            paraphrases,
            numbers,
            languages,
            n_omitted,
            kinds,
            name_position,
            keys,
            (np.stack(firsts), np.stack(counts)),
            n_sentences,
        )
        return plan, languages

    def _settings(self, groups: np.ndarray) -> tuple[Int64[np.ndarray, " documents"], ...]:
        """The settings of the augmentation of each group, as arrays for compiled code."""
        rows = [
            (
                a.n_texts,
                a.n_permutations,
                a.n_languages,
                a.n_omitted,
                list(Order).index(a.order),
                a.name_position,
            )
            for a in self.augmentations
        ]
        columns = zip(*rows, strict=True)
        return tuple(np.array(column, dtype=np.int64)[groups] for column in columns)

    def _columns(
        self, people: np.ndarray, plan: np.ndarray, width: int, n_columns: int
    ) -> tuple[Int64[np.ndarray, "documents 2"], Int64[np.ndarray, "documents attributes 2"]]:
        """First and last piece of the name and of each value; (0, 0) where it is not stated.

        Args:
            people: Rows of the arrays.
            plan: Attribute and template of each sentence.
            width: Columns of a sentence's subject.
            n_columns: Columns of a sentence.
        """
        groups = self.groups[people]
        name_position = np.array([a.name_position for a in self.augmentations])[groups]
        has_pronoun = np.array([a.has_pronoun for a in self.augmentations])
        first = np.where(name_position > 0, name_position * n_columns + 1, 0)
        name = np.stack([first, first + self.n_name_parts], axis=1)
        attributes = np.arange(len(self.n_templates))
        states = plan[:, :, 0, None] == attributes
        first = states.argmax(axis=1) * n_columns + width + 1
        values = np.stack([first, first + self.values.shape[2]], axis=-1)
        values[~states.any(axis=1)] = 0
        if has_pronoun.any():
            first = np.where(name_position > 0, 0, n_columns)
            pronoun = np.stack([first, first + width], axis=1)
            pronoun[~has_pronoun[groups]] = 0
            values = np.concatenate([values, pronoun[:, None]], axis=1)
        return name, values
