"""What a biography world knows about itself: its facts, their entropy, the capacity they fill."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int64

from physlm.data.bio.assembly import Biographies, Sentences
from physlm.data.tokens import Vocabulary
from physlm.rng import stream, stream_key


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing known of every person.

    Attributes:
        name: As in the metric ``capacity/accuracy/<name>``.
        n_values: Size of the set the value is drawn from.
        is_counted: False where the value follows from another one, hence adds no knowledge.
    """

    name: str
    n_values: float
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class Diversity:
    """The drawn strings that bioD values are made of.

    Attributes:
        n_strings: D, strings in an attribute's diversity set.
        n_possible: T to the power L, strings the set was drawn from.
        chunk_length: L, tokens in a string.
    """

    n_strings: int
    n_possible: float
    chunk_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeCorpus:
    """People rendered as biographies: one epoch = one exposure of every person.

    Attributes:
        seed: Of the world and of every epoch's rendering.
        n_epochs: Exposures of each person in training.
        vocabulary: Tokens of the documents.
        sentences: All pieces a document can be made of.
        attributes: In the order of ``Biographies.value_spans``.
        n_names: N0, names that people's names were drawn from.
        diversity: The diversity sets, in bioD only.
        is_redrawn: Templates and order are drawn anew at every exposure.
    """

    seed: int
    n_epochs: int
    vocabulary: Vocabulary
    sentences: Sentences
    attributes: tuple[Attribute, ...]
    n_names: int
    diversity: Diversity | None
    is_redrawn: bool

    @property
    def n_documents(self) -> int:
        """People, each with one document per epoch."""
        return len(self.sentences.values)

    def epoch(self, number: int, first: int, last: int) -> Biographies:
        """People ``first`` to ``last - 1`` of the epoch's shuffled order."""
        people = _epoch_order(self.seed, number, self.n_documents)
        text = ("epoch", number) if self.is_redrawn else ("only",)
        key = stream_key(self.seed, *text, "text")
        return self.sentences.render(people[first:last], key, self.vocabulary.eos)

    def rendering(self, number: int, people: Int64[np.ndarray, " documents"]) -> Biographies:
        """A rendering for measurement: texts drawn apart from training's where they are redrawn."""
        text = ("rendering", number) if self.is_redrawn else ("only",)
        key = stream_key(self.seed, *text, "text")
        return self.sentences.render(people, key, self.vocabulary.eos)

    def facts(self, person: int) -> dict[str, str]:
        """A person's name and attribute values, as they stand in the text."""
        made_of = self.sentences
        name = made_of.first_subjects[person, : made_of.n_name_parts]
        rows = [name, *made_of.values[person]]
        if made_of.has_pronoun:
            rows.append(made_of.later_subjects[person])
        texts = [self.vocabulary.decode(made_of.pieces.join(row)).strip() for row in rows]
        keys = ["name", *(attribute.name for attribute in self.attributes)]
        return dict(zip(keys, texts, strict=True))

    @property
    def maximum_bits(self) -> float:
        """Bits a perfect model is credited with, the numerator of R^max.

        Source:
            Physics of Language Models, Part 3.3, definition of the maximum capacity ratio.
        """
        n = self.n_documents
        return (
            n * math.log2(self.n_names / n) + self._value_bits + self._diversity_bits(exact=False)
        )

    @property
    def entropy_bits(self) -> float:
        """Exact entropy of the drawn world: which names, which values, which diversity sets."""
        return (
            _log2_choose(self.n_names, self.n_documents)
            + self._value_bits
            + self._diversity_bits(exact=True)
        )

    @property
    def _value_bits(self) -> float:
        counted = (math.log2(a.n_values) for a in self.attributes if a.is_counted)
        return self.n_documents * sum(counted)

    def _diversity_bits(self, *, exact: bool) -> float:
        if self.diversity is None:
            return 0.0
        n, possible = self.diversity.n_strings, self.diversity.n_possible
        one_set = _log2_choose(possible, n) if exact else n * math.log2(possible / n)
        return len(self.attributes) * one_set

    def fingerprint(self) -> str:
        """SHA-256 over people, pieces, templates, vocabulary and seed."""
        digest = hashlib.sha256()
        pieces = self.sentences.pieces
        arrays = (
            self.sentences.first_subjects, self.sentences.later_subjects, self.sentences.values,
            self.sentences.prefixes, self.sentences.suffixes, self.sentences.n_templates,
            pieces.tokens, pieces.starts, self.vocabulary.original_ids,
        )  # fmt: skip
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        settings = (self.seed, self.is_redrawn, self.sentences.random_order)
        digest.update(repr(settings).encode())
        return digest.hexdigest()


@lru_cache(maxsize=2)
def _epoch_order(seed: int, number: int, n_people: int) -> Int64[np.ndarray, " people"]:
    """Kept for the next block of the same epoch: of millions of people it takes long to draw."""
    return stream(seed, "epoch", number, "order").permutation(n_people)


class PieceList:
    """Distinct texts in order of first use, each with its number."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def add(self, texts: Sequence[str]) -> np.ndarray:
        """The numbers of ``texts``, new ones appended."""
        return np.array([self.texts.setdefault(t, len(self.texts)) for t in texts], dtype=np.int32)


def draw_names(seed: int, n_people: int, sizes: Sequence[int]) -> Int64[np.ndarray, "people parts"]:
    """Distinct full names, one index per name part, uniform over all sets of such names.

    Raises:
        ValueError: If there are fewer distinct names than people.
    """
    n_names = math.prod(sizes)
    if n_people > n_names:
        raise ValueError(
            f"n_people={n_people} exceeds the {n_names} distinct names; use fewer people"
        )
    drawn = stream(seed, "names").choice(n_names, n_people, replace=False)
    return np.stack(np.unravel_index(drawn, tuple(sizes)), axis=1)


def _log2_choose(n: float, k: float) -> float:
    """log2 of the binomial coefficient; series where gamma functions would cancel."""
    if k == n:
        return 0.0
    if k * k < 1e-6 * n:
        return (k * math.log(n) - math.lgamma(k + 1) - k * (k - 1) / (2 * n)) / math.log(2)
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2)
