"""Biographies: which sentences tell of a person, in which words and order."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Int8, Int32, Int64

from physlm.data.compilation import compiled
from physlm.data.corpus import Documents
from physlm.data.people.assembly import assemble
from physlm.data.splitmix import below, next_bits, stream_of
from physlm.data.tokens import Pieces
from physlm.rng import stream_key

_NAME, _NONE = -1, -2  # in a plan: the sentence that only names the person, and no sentence


class Order(str, Enum):
    """In which order sentences come.

    ``random``: drawn for each text. ``fixed``: that of the attributes. ``coupled``: attributes two
    by two, couples in an order drawn for each text, the first of a couple always before the second.
    """

    random = "random"
    fixed = "fixed"
    coupled = "coupled"


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How the texts of a group of people come about.

    Attributes:
        order: In which order sentences come.
        n_paraphrases: How often templates are drawn for a person; 0 draws them for every text.
        n_permutations: How many orders are drawn for each paraphrase.
        n_languages: 2 if every text comes again in the second language, sentence for sentence.
        n_omitted: How many attributes, the last ones, no text tells.
        name_position: Sentences before the one that names the person; 0 opens with the name.
        has_pronoun: Whether later sentences have a pronoun for subject, hence tell the gender.
    """

    order: Order = Order.random
    n_paraphrases: int = 0
    n_permutations: int = 1
    n_languages: int = 1
    n_omitted: int = 0
    name_position: int = 0
    has_pronoun: bool = False

    @property
    def n_texts(self) -> int:
        """Texts of a person before they come again; 0 for no end."""
        return self.n_paraphrases * self.n_permutations * self.n_languages


@dataclass(frozen=True, slots=True)
class Biographies(Documents):
    """Rendered documents with the truth beside them.

    Spans are token positions relative to the document's end-of-text (position 0), end exclusive;
    the position before an attribute's value is ``value_spans[i, a, 0] - 1``. A span of (0, 0)
    says that the document does not state the attribute.

    Attributes:
        people: The person each document is about.
        name_spans: Where the name stands first.
        value_spans: Where each attribute's value stands; the pronoun comes last.
    """

    people: Int64[np.ndarray, " documents"]
    name_spans: Int32[np.ndarray, "documents 2"]
    value_spans: Int32[np.ndarray, "documents attributes 2"]

    def marked(self, domain: int) -> "Biographies":
        """The same documents with a domain's token right behind each end-of-text."""
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
        subjects: The subject of every sentence but the first.
        first_templates: Where the templates of each attribute begin, behind those of the first
            language.
        n_templates: How many there are.
    """

    subjects: Int32[np.ndarray, "people subject_parts"]
    first_templates: Int32[np.ndarray, " attributes"]
    n_templates: Int32[np.ndarray, " attributes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """Everything a document can be made of, as piece numbers; -1 stands for no piece.

    Attributes:
        pieces: The tokenised pieces.
        n_name_parts: How many pieces a name has.
        openings: The subject of the first sentence: the name and what binds it to the sentence,
            or a pronoun where the name comes later.
        subjects: The subject of every later sentence.
        namings: The sentence that names a person: words, the parts of the name, words.
        values: The value of each attribute of each person.
        prefixes: Words between subject and value, one row of templates per attribute.
        suffixes: Words after the value, same shape.
        n_templates: How many templates each attribute has in the first language.
        augmentations: How texts come about, for each group of people.
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
        """The parts of each person's name, as the texts give it."""
        rows: np.ndarray = self.openings[:, : self.n_name_parts].copy()
        is_named_later = np.array([t.name_position > 0 for t in self.augmentations])[self.groups]
        if is_named_later.any():
            rows[is_named_later] = self.namings[is_named_later, 1 : 1 + self.n_name_parts]
        return rows

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All that decides the documents but how texts come about."""
        told, further = self.translation, []
        if told is not None:
            n_languages = np.array(
                [augmentation.n_languages for augmentation in self.augmentations]
            )
            further = [n_languages, told.subjects, told.first_templates, told.n_templates]
        if any(augmentation.n_omitted for augmentation in self.augmentations):
            further.append(
                np.array([augmentation.n_omitted for augmentation in self.augmentations])
            )
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
            *further,
        )

    def render(
        self,
        people: Int64[np.ndarray, " documents"],
        texts: Int64[np.ndarray, " documents"],
        seed: int,
        eos: int,
        identities: Int64[np.ndarray, " documents"] | None = None,
    ) -> Biographies:
        """Text number ``texts[i]`` of each of ``people``, the same whenever it is asked for.

        Args:
            people: Rows of the arrays.
            texts: Text numbers.
            seed: Of the paraphrases and orders.
            eos: The token that begins every document.
            identities: Numbers that tell people apart where the arrays hold some of many.
        """
        identities = people if identities is None else identities
        plan, languages = self._plan(people, identities, texts, seed)
        translated = self.subjects if self.translation is None else self.translation.subjects
        width = max(self.openings.shape[1], self.subjects.shape[1], translated.shape[1])
        rows = _rows(
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
        """For each document and sentence, of which attribute in which template; its language."""
        groups = self.groups[people]
        n_texts, n_permutations, n_languages, n_omitted, kinds, name_position = (
            np.array(column, dtype=np.int64)[groups]
            for column in zip(
                *(
                    (
                        t.n_texts,
                        t.n_permutations,
                        t.n_languages,
                        t.n_omitted,
                        list(Order).index(t.order),
                        t.name_position,
                    )
                    for t in self.augmentations
                ),
                strict=True,
            )
        )
        numbers = np.where(n_texts > 0, texts % np.maximum(n_texts, 1), texts)
        languages, numbers = numbers % n_languages, numbers // n_languages
        paraphrases = np.where(n_texts > 0, numbers // n_permutations, numbers)
        keys = (np.uint64(stream_key(seed, "wordings")), np.uint64(stream_key(seed, "orders")))
        n_sentences = len(self.n_templates) + any(t.name_position for t in self.augmentations)
        firsts, counts = [np.zeros_like(self.n_templates)], [self.n_templates]
        if self.translation is not None:
            firsts.append(self.translation.first_templates)
            counts.append(self.translation.n_templates)
        plan: np.ndarray = _draw_plans(
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

    def _columns(
        self, people: np.ndarray, plan: np.ndarray, width: int, n_columns: int
    ) -> tuple[Int64[np.ndarray, "documents 2"], Int64[np.ndarray, "documents attributes 2"]]:
        """First and last piece of the name and of each value; (0, 0) for what is not said."""
        groups = self.groups[people]
        name_position = np.array([t.name_position for t in self.augmentations])[groups]
        has_pronoun = np.array([t.has_pronoun for t in self.augmentations])
        first = np.where(name_position > 0, name_position * n_columns + 1, 0)
        name = np.stack([first, first + self.n_name_parts], axis=1)
        attributes = np.arange(len(self.n_templates))
        tells = plan[:, :, 0, None] == attributes
        first = tells.argmax(axis=1) * n_columns + width + 1
        values = np.stack([first, first + self.values.shape[2]], axis=-1)
        values[~tells.any(axis=1)] = 0
        if has_pronoun.any():
            first = np.where(name_position > 0, 0, n_columns)
            pronoun = np.stack([first, first + width], axis=1)
            pronoun[~has_pronoun[groups]] = 0
            values = np.concatenate([values, pronoun[:, None]], axis=1)
        return name, values


@compiled
def _draw_plans(  # type: ignore[no-untyped-def]
    people,
    paraphrases,
    texts,
    languages,
    n_omitted,
    kinds,
    name_position,
    keys,
    templates,
    n_sentences,
):
    first_templates, n_templates = templates
    n_attributes = n_templates.shape[1]
    plan = np.full((len(people), n_sentences, 2), _NONE, dtype=np.int32)
    template_of = np.empty(n_attributes, dtype=np.int32)
    order = np.empty(n_attributes, dtype=np.int32)
    for i in range(len(people)):
        state = stream_of(stream_of(keys[0], paraphrases[i]), people[i])
        for a in range(n_attributes):
            state, bits = next_bits(state)
            n_choices = n_templates[languages[i], a]
            template_of[a] = first_templates[languages[i], a] + below(bits, n_choices)
            order[a] = a
        state = stream_of(stream_of(keys[1], texts[i]), people[i])
        n_told = n_attributes - n_omitted[i]
        n_together = (1, n_attributes, 2)[kinds[i]]
        for j in range(n_told // n_together - 1, 0, -1):
            state, bits = next_bits(state)
            k = below(bits, j + 1)
            for a in range(n_together):
                j_a, k_a = j * n_together + a, k * n_together + a
                order[j_a], order[k_a] = order[k_a], order[j_a]
        for j in range(n_told):
            sentence = j + (0 < name_position[i] <= j)
            plan[i, sentence, 0] = order[j]
            plan[i, sentence, 1] = template_of[order[j]]
        if name_position[i] > 0:
            plan[i, name_position[i], 0] = _NAME
    return plan


@compiled
def _rows(people, plan, languages, openings, subjects, namings, texts, width):  # type: ignore[no-untyped-def]
    """The pieces of each sentence of each document."""
    values, prefixes, suffixes = texts
    first_subjects, second_subjects = subjects
    n_chunks = values.shape[2]
    n_columns = max(width + 2 + n_chunks, namings.shape[1])
    rows = np.full((len(people), plan.shape[1], n_columns), -1, dtype=np.int32)
    for i in range(len(people)):
        person = people[i]
        for j in range(plan.shape[1]):
            attribute, template = plan[i, j]
            row = rows[i, j]
            if attribute == _NAME:
                row[: namings.shape[1]] = namings[person]
            if attribute < 0:
                continue
            if j == 0:
                row[: openings.shape[1]] = openings[person]
            elif languages[i] == 0:
                row[: first_subjects.shape[1]] = first_subjects[person]
            else:
                row[: second_subjects.shape[1]] = second_subjects[person]
            row[width] = prefixes[attribute, template]
            row[width + 1 : width + 1 + n_chunks] = values[person, attribute]
            row[width + 1 + n_chunks] = suffixes[attribute, template]
    return rows
