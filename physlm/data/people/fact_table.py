"""Attribute values of each person, as pieces of text and as numbers."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64

from physlm.data.people.knowledge import KnowledgeCorpus, PieceList
from physlm.data.people.pools import ATTRIBUTES, MONTHS, pool
from physlm.data.people.qa_split import question_columns
from physlm.data.tokens import Pieces
from physlm.rng import stream

YES, NO, NEXT = " Yes", " No", ","
_MOST = 99  # largest absolute value of a numeric answer

NUMBERS = [f" minus {number}" for number in range(_MOST, 0, -1)]
NUMBERS += [f" {number}" for number in range(_MOST + 1)]

Columns = tuple[Int32[np.ndarray, " questions"], ...]


class FactTable:
    """Attribute values of each person, from which questions and answers are assembled.

    Args:
        world: The people; they have names and dates of birth.
        words: Further pieces of text, for questions.

    Attributes:
        pieces: Every piece that a question, its hint or its answer may need.
        n_people: Number of people.
        months: Month of birth of each person, from 1.
        days: Day of birth, from 1.
        years: Year of birth.
        major_ranks: Rank of each person's major, its "luckiness" in the paper.

    Raises:
        ValueError: If the vocabulary of the world lacks the words of the questions.
    """

    def __init__(self, world: KnowledgeCorpus, words: Sequence[str]) -> None:
        texts = world.sentences.pieces.texts
        self._values = world.sentences.values[:, question_columns(world)]
        dates = [texts[piece].split() for piece in self._values[:, 0, 0]]
        self.n_people = world.n_people
        self.months = np.array([MONTHS.index(month) for month, _ in dates]) + 1
        self.days = np.array([int(day) for _, day in dates])
        self.years = np.array([int(texts[piece][2:]) for piece in self._values[:, 0, 1]])
        self.major_ranks = np.array([major_rank()[texts[p].strip()] for p in self._values[:, 3, 0]])
        pieces = PieceList(texts)
        parts = zip(*world.name_parts(), strict=True)
        self._names = tuple(pieces.add([f" {part}" for part in column]) for column in parts)
        self._month_names = pieces.add([f" {month}" for month in MONTHS])
        self._year_names = {y: pieces.add([f" {y}"])[0] for y in np.unique(self.years).tolist()}
        self._numbers = pieces.add(NUMBERS)
        pieces.add([*words, YES, NO, NEXT])
        self._number_of = pieces.texts
        self.pieces = Pieces(world.vocabulary, list(pieces.texts))

    def words(self, text: str, people: Int[np.ndarray, " questions"]) -> Columns:
        """The same words in every question."""
        return (np.full(len(people), self._number_of[text], dtype=np.int32),)

    def value(self, attribute: str, people: Int64[np.ndarray, " questions"]) -> Columns:
        """The value of an attribute of each person."""
        return tuple(self._values[people, ATTRIBUTES.index(attribute)].T)

    def name(self, people: Int64[np.ndarray, " questions"]) -> Columns:
        """The full name of each person."""
        return tuple(part[people] for part in self._names)

    def month(self, people: Int64[np.ndarray, " questions"]) -> Columns:
        """The name of each person's month of birth."""
        return (self._month_names[self.months[people] - 1],)

    def year(self, people: Int64[np.ndarray, " questions"]) -> Columns:
        """The year of birth of each person."""
        return (np.array([self._year_names[y] for y in self.years[people].tolist()], np.int32),)

    def number(self, values: Int64[np.ndarray, " questions"]) -> Columns:
        """Numbers from -99 to 99, with a word for the minus sign."""
        return (self._numbers[values + _MOST],)

    def yes(self, is_true: Bool[np.ndarray, " questions"]) -> Columns:
        """The answer yes or no."""
        return (np.where(is_true, self._number_of[YES], self._number_of[NO]).astype(np.int32),)

    def born_in(self, year: int) -> list[int]:
        """Pieces of the names of all people born in a year, in alphabetical order."""
        born = np.flatnonzero(self.years == year)
        names = np.stack(self.name(born), axis=1).tolist()
        names.sort(key=lambda row: [self.pieces.texts[piece] for piece in row])
        comma = self._number_of[NEXT]
        return [piece for i, name in enumerate(names) for piece in ([comma] * (i > 0) + name)]


@cache
def major_rank() -> dict[str, int]:
    """Rank of each major, from 0: one random order of all majors, the same in every world.

    The paper calls it the luckiness of a major.

    Source:
        Physics of Language Models, Part 3.2, section 4.
    """
    majors = pool("majors")
    return dict(zip(majors, stream(0, "luckiness").permutation(len(majors)).tolist(), strict=True))
