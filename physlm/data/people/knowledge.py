"""A corpus of biographies: its people and facts, their entropy, and its epochs."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, SupportsIndex, runtime_checkable

import numpy as np
from jaxtyping import Int8, Int32, Int64

from physlm.data.annotation import AnnotatedDocuments
from physlm.data.corpus import OneLine
from physlm.data.labelled import LabelledTexts
from physlm.data.people.annotation import annotated_biographies
from physlm.data.people.augmentation import Augmentation
from physlm.data.people.labelled_people import FALSEHOODS, labelled_biographies
from physlm.data.people.sentences import Biographies, Sentences
from physlm.data.tokens import Pieces, Vocabulary
from physlm.rng import stream
from physlm.run_id import identity

_UNSEEN = 2**62  # text numbers from here on are reserved for measurement


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of every person.

    Attributes:
        name: Name, as in the dimension ``attribute`` of metrics.
        n_values: Size of the set that values are drawn from.
        is_counted: False if the value follows from another attribute and adds no knowledge.
    """

    name: str
    n_values: float
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class Diversity:
    """The diversity sets from which bioD values are composed.

    Attributes:
        n_strings: D, strings in an attribute's diversity set.
        n_possible: T to the power L, the number of strings that a set is drawn from.
        chunk_length: L, tokens in a string.
    """

    n_strings: int
    n_possible: float
    chunk_length: int


@runtime_checkable
class Texts(Protocol):
    """A source of biographies: sentences from templates, or fixed texts."""

    @property
    def pieces(self) -> Pieces:
        """Names and values, tokenised, among other pieces."""

    @property
    def names(self) -> Int32[np.ndarray, "people parts"]:
        """The pieces of each person's name, as the texts spell it."""

    @property
    def values(self) -> Int32[np.ndarray, "people attributes chunks"]:
        """The pieces of each value; -1 stands for no piece."""

    @property
    def groups(self) -> Int8[np.ndarray, " people"]:
        """The group of each person."""

    @property
    def augmentations(self) -> tuple[Augmentation, ...]:
        """The augmentation of each group."""

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Everything that decides the documents except the augmentations."""

    def render(
        self,
        people: Int64[np.ndarray, " documents"],
        texts: Int64[np.ndarray, " documents"],
        seed: int,
        eos: int,
    ) -> Biographies:
        """Text number ``texts[i]`` of each of ``people``: a pure function of the arguments.

        Args:
            people: Rows of the arrays.
            texts: Text number of each document.
            seed: Seed of all random choices.
            eos: The token that begins every document.
        """


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KnowledgeCorpus(OneLine):
    """People rendered as biographies: one epoch = one exposure of every person.

    If groups of people have different frequencies, one epoch holds as many documents about each
    person as the frequency of the group.

    Attributes:
        seed: Seed of the world and of every epoch's rendering.
        n_epochs: Epochs of training.
        vocabulary: Tokens of the documents.
        sentences: The source of documents.
        attributes: The attributes, in the order of ``Biographies.value_spans``.
        n_names: N0, the number of names that the people's names are drawn from.
        diversity: The diversity sets, in bioD only.
        document_ends: Cumulative number of documents in an epoch, person by person.
        domain: The token after the end-of-text of every document, if there is one.
    """

    seed: int
    n_epochs: int
    vocabulary: Vocabulary
    sentences: Texts
    attributes: tuple[Attribute, ...]
    n_names: int
    diversity: Diversity | None
    document_ends: Int64[np.ndarray, " people"]
    domain: int | None = None

    @property
    def n_people(self) -> int:
        """People in the world."""
        return len(self.sentences.values)

    @property
    def n_documents(self) -> int:
        """Documents in one epoch."""
        return int(self.document_ends[-1])

    @property
    def frequencies(self) -> Int64[np.ndarray, " people"]:
        """Documents of an epoch about each person."""
        return np.diff(self.document_ends, prepend=0)

    def epoch(self, number: int, first: int, last: int) -> Biographies:
        """Documents ``first`` to ``last - 1`` of the epoch's shuffled order."""
        documents = _epoch_order(self.seed, number, self.n_documents)[first:last]
        ends = self.document_ends
        people = np.searchsorted(ends, documents, side="right")
        frequencies = ends[people] - np.where(people > 0, ends[people - 1], 0)
        repeats = ends[people] - documents - 1  # number of the document about its person, from 0
        # Text numbers are shifted by the person: otherwise all people of an epoch would be at the
        # same text, such as the French one.
        return self._rendered(people, number * frequencies + repeats + people)

    def rendering(self, number: int, people: Int64[np.ndarray, " documents"]) -> Biographies:
        """A rendering for measurement, with texts outside training if texts are redrawn."""
        return self._rendered(people, np.full(len(people), _UNSEEN + number))

    def _rendered(self, people: np.ndarray, texts: np.ndarray) -> Biographies:
        documents = self.sentences.render(people, texts, self.seed, self.vocabulary.eos)
        return documents if self.domain is None else documents.marked(self.domain)

    def annotated(self, n_tokens: int) -> AnnotatedDocuments:
        """Biographies with the class of every token; see ``annotated_biographies``."""
        return annotated_biographies(self, n_tokens)

    @property
    def corruptions(self) -> tuple[str, ...]:
        """The ways in which a biography can be false; see ``Falsehood``."""
        return FALSEHOODS

    def labelled(self, n_problems: int, corruption: str, n_errors: int) -> LabelledTexts:
        """True biographies, each with a false one; see ``labelled_biographies``."""
        return labelled_biographies(self, n_problems, corruption, n_errors)

    def facts(self, person: SupportsIndex) -> dict[str, str]:
        """A person's name and attribute values, as the texts spell them."""
        document = self.rendering(0, np.array([person]))
        spans = [document.name_spans[0], *document.value_spans[0]]
        keys = ["name", *(attribute.name for attribute in self.attributes)]
        return {
            key: self.vocabulary.decode(document.tokens[first:last]).strip()
            for key, (first, last) in zip(keys, spans, strict=True)
            if last > first
        }

    def has_same_people_as(self, other: "KnowledgeCorpus") -> bool:
        """Whether both have the same people (names and values), whatever the templates."""
        return np.array_equal(self._name_and_value_texts(), other._name_and_value_texts())

    def _name_and_value_texts(self) -> np.ndarray:
        texts = np.array([*self._piece_texts(), ""])
        values = self.sentences.values.reshape(self.n_people, -1)
        chosen: np.ndarray = texts[np.concatenate([self.sentences.names, values], axis=1)]
        return chosen

    def name_parts(self) -> list[tuple[str, ...]]:
        """The parts of each person's name, as text."""
        texts = self._piece_texts()
        return [tuple(texts[piece] for piece in row) for row in self.sentences.names]

    def full_names(self) -> list[str]:
        """Each person's name, as texts spell it."""
        return [" ".join(parts) for parts in self.name_parts()]

    def _piece_texts(self) -> list[str]:
        return [text.strip() for text in self.sentences.pieces.texts]

    @property
    def maximum_bits(self) -> float:
        """Bits of knowledge of a perfect model, the numerator of R^max.

        Source:
            Physics of Language Models, Part 3.3, definition of the maximum capacity ratio.
        """
        n = self.n_people
        return (
            n * math.log2(self.n_names / n)
            + n * self.value_bits
            + self._diversity_bits(exact=False)
        )

    @property
    def entropy_bits(self) -> float:
        """Exact entropy of the world: the set of names, the values and the diversity sets."""
        return (
            log2_choose(self.n_names, self.n_people)
            + self.n_people * self.value_bits
            + self._diversity_bits(exact=True)
        )

    @property
    def value_bits(self) -> float:
        """Entropy of one person's values."""
        return sum(math.log2(a.n_values) for a in self.attributes if a.is_counted)

    @property
    def wording_bits(self) -> float | None:
        """Bits that texts kept word for word take besides the facts; see ``Sentences``."""
        return self.sentences.wording_bits if isinstance(self.sentences, Sentences) else None

    def _diversity_bits(self, *, exact: bool) -> float:
        if self.diversity is None:
            return 0.0
        n, possible = self.diversity.n_strings, self.diversity.n_possible
        one_set = log2_choose(possible, n) if exact else n * math.log2(possible / n)
        return len(self.attributes) * one_set

    def fingerprint(self) -> str:
        """SHA-256 over people, pieces, templates, vocabulary and seed."""
        digest = hashlib.sha256()
        arrays = (*self.sentences.arrays, self.document_ends, self.vocabulary.original_ids)
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        augmentations = [identity(one) for one in self.sentences.augmentations]
        digest.update(repr((self.seed, augmentations)).encode())
        if self.domain is not None:
            digest.update(repr(self.domain).encode())
        return digest.hexdigest()


@lru_cache(maxsize=2)
def _epoch_order(seed: int, number: int, n: int) -> Int64[np.ndarray, " documents"]:
    """The order of an epoch, cached between its blocks because large permutations are slow."""
    return stream(seed, "epoch", number, "order").permutation(n)


class PieceList:
    """Distinct texts in order of first use, each with its number."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self.texts = {text: number for number, text in enumerate(texts)}

    def add(self, texts: Sequence[str]) -> np.ndarray:
        """The numbers of ``texts``, new ones appended."""
        return np.array([self.texts.setdefault(t, len(self.texts)) for t in texts], dtype=np.int32)


def log2_choose(n: float, k: float) -> float:
    """log2 of the binomial coefficient, by a series where gamma functions would cancel."""
    if k == n:
        return 0.0
    if k * k < 1e-6 * n:
        return (k * math.log(n) - math.lgamma(k + 1) - k * (k - 1) / (2 * n)) / math.log(2)
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2)
