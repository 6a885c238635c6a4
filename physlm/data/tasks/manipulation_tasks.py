"""What may be asked of people beyond single facts: parts, pairs, classes, comparisons, names."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Int64

from physlm.data.people.fact_table import NEXT, NO, YES, Columns, FactTable
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.people.question_vocabulary import ANSWER

HINT, HINT_END = " Facts:", ". Answer:"
_BETWEEN = ";"


class QaItems(NamedTuple):
    """Questions put together, as columns of piece numbers.

    Attributes:
        question: The words that ask.
        facts: What the answer follows from, as a model may write it down first.
        answer: The right answer.
    """

    question: Columns
    hint: Columns
    answer: Columns


@dataclass(frozen=True)
class Task(ABC):
    """One kind of question.

    Attributes:
        name: As in the metric ``manipulation/<name>/accuracy``.
        n_people: How many people a question is about.
    """

    name: str
    n_people: int = 1
    may_fit_several: ClassVar[bool] = False  # people, whose answers are then all right

    @abstractmethod
    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people."""

    def distinct(
        self,
        fact_table: FactTable,  # noqa: ARG002
        people: Int64[np.ndarray, " people"],
    ) -> Int64[np.ndarray, " distinct"]:
        """People with questions that differ."""
        return people

    @abstractmethod
    def texts(self) -> list[str]:
        """The words that its questions and answers need beside those of biographies."""


@dataclass(frozen=True)
class PartOfDate(Task):
    """The day or the year of birth alone; the whole date may be written down first."""

    @property
    def _asked(self) -> str:
        part = self.name.removeprefix("birth_")
        return {"day": "On which day of the month was", "year": "In which year was"}[part]

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people."""
        who = people[:, 0]
        is_year = self.name == "birth_year"
        answer = fact_table.year(who) if is_year else fact_table.number(fact_table.days[who])
        question = (
            *fact_table.words(self._asked, who),
            *fact_table.name(who),
            *fact_table.words(" born?", who),
        )
        return QaItems(question, fact_table.value("birth_date", who), answer)

    def texts(self) -> list[str]:
        """The words that its questions and answers need beside those of biographies."""
        return [self._asked, " born?"]


_NOUNS = {
    "birth_city": "birth city",
    "university": "university",
    "major": "major",
    "employer": "employer",
    "company_city": "company city",
}


@dataclass(frozen=True)
class Pair(Task):
    """Two attributes in a given order; those of the biography's order may be written down first."""

    first: str = ""
    second: str = ""

    @property
    def _asked(self) -> str:
        return f"What are the {_NOUNS[self.first]} and the {_NOUNS[self.second]} of"

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people."""
        who = people[:, 0]
        question = (
            *fact_table.words(self._asked, who),
            *fact_table.name(who),
            *fact_table.words("?", who),
        )
        between = fact_table.words(_BETWEEN, who)
        first, second = fact_table.value(self.first, who), fact_table.value(self.second, who)
        is_in_order = ATTRIBUTES.index(self.first) < ATTRIBUTES.index(self.second)
        a, b = (first, second) if is_in_order else (second, first)
        return QaItems(question, (*a, *between, *b), (*first, *between, *second))

    def texts(self) -> list[str]:
        """The words that its questions and answers need beside those of biographies."""
        return [self._asked, "?", _BETWEEN]


@dataclass(frozen=True)
class TwoHop(Task):
    """The city of the company that employs someone; the company may be written down first."""

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people."""
        who = people[:, 0]
        before, after = (fact_table.words(text, who) for text in self.texts())
        question = (*before, *fact_table.name(who), *after)
        employer, city = fact_table.value("employer", who), fact_table.value("company_city", who)
        return QaItems(question, employer, city)

    def texts(self) -> list[str]:
        """The words that its questions and answers need beside those of biographies."""
        return ["In which city is the company that employs", " based?"]


@dataclass(frozen=True)
class Numbered(Task):
    """Of a number that follows from an attribute: the month of birth, or how lucky a major is."""

    quantity: str = "birth_month"

    def _number(
        self, fact_table: FactTable, who: Int64[np.ndarray, " questions"]
    ) -> Int64[np.ndarray, " questions"]:
        numbers: np.ndarray = (
            fact_table.months if self.quantity == "birth_month" else fact_table.major_ranks
        )
        chosen: np.ndarray = numbers[who]
        return chosen

    def _fact(self, fact_table: FactTable, who: np.ndarray) -> Columns:
        is_month = self.quantity == "birth_month"
        return fact_table.month(who) if is_month else fact_table.value("major", who)


@dataclass(frozen=True)
class Remainder(Numbered):
    """The number modulo m; modulo 2, whether it is even."""

    modulus: int = 2

    @property
    def _asked(self) -> tuple[str, str]:
        if self.modulus == 2 and self.quantity == "birth_month":
            return "Was", " born in an even month?"
        noun = "birth month" if self.quantity == "birth_month" else "luck of the major"
        return f"What is the {noun} modulo {self.modulus} of", "?"

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people."""
        who = people[:, 0]
        before, after = self._asked
        rest = self._number(fact_table, who) % self.modulus
        is_parity = self.modulus == 2 and self.quantity == "birth_month"
        answer = fact_table.yes(rest == 0) if is_parity else fact_table.number(rest)
        question = (
            *fact_table.words(before, who),
            *fact_table.name(who),
            *fact_table.words(after, who),
        )
        return QaItems(question, self._fact(fact_table, who), answer)

    def texts(self) -> list[str]:
        """The words that its questions and answers need beside those of biographies."""
        return [*self._asked, YES, NO]


@dataclass(frozen=True)
class Comparison(Numbered):
    """Of two people: whose number is larger, or by how much."""

    is_difference: bool = False

    @property
    def _asked(self) -> tuple[str, str, str]:
        is_month = self.quantity == "birth_month"
        if self.is_difference:
            noun = "birth month later" if is_month else "major luckier"
            return f"By how much is the {noun} for", " than for", "?"
        if is_month:
            return "Was", " born in a later month than", "?"
        return "Is the major luckier for", " than for", "?"

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people."""
        one, other = people.T
        difference = self._number(fact_table, one) - self._number(fact_table, other)
        is_larger = fact_table.yes(difference > 0)
        answer = fact_table.number(difference) if self.is_difference else is_larger
        before, between, after = (fact_table.words(text, one) for text in self._asked)
        facts = (
            *self._fact(fact_table, one),
            *fact_table.words(_BETWEEN, one),
            *self._fact(fact_table, other),
        )
        question = (*before, *fact_table.name(one), *between, *fact_table.name(other), *after)
        return QaItems(question, facts, answer)

    def texts(self) -> list[str]:
        """The words that its questions and answers need beside those of biographies."""
        return [*self._asked, YES, NO, _BETWEEN]


_GIVEN = {
    "birth_date": " born on",
    "birth_city": " in",
    "university": " who studied at",
    "major": " with a major in",
    "employer": " and a job at",
    "company_city": " in",
}


@dataclass(frozen=True)
class Inverse(Task):
    """The name of the person with given attributes; all six may be written down first.

    Source:
        Physics of Language Models, Part 3.2, section 5 (inverse knowledge search).
    """

    n_given: int = 1
    is_full: bool = True
    may_fit_several: ClassVar[bool] = True

    @property
    def _asked(self) -> str:
        return f"What is the {'full' if self.is_full else 'first'} name of the person"

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people."""
        who = people[:, 0]
        question = list(fact_table.words(self._asked, who))
        for attribute in ATTRIBUTES[: self.n_given]:
            question += [
                *fact_table.words(_GIVEN[attribute], who),
                *fact_table.value(attribute, who),
            ]
        question += fact_table.words("?", who)
        facts: list[np.ndarray] = []
        for attribute in ATTRIBUTES:
            facts += [*fact_table.words(_BETWEEN, who)] if facts else []
            facts += fact_table.value(attribute, who)
        name = fact_table.name(who)
        return QaItems(tuple(question), tuple(facts), name if self.is_full else name[:1])

    def texts(self) -> list[str]:
        """The words that its questions and answers need beside those of biographies."""
        return [self._asked, *_GIVEN.values(), "?", _BETWEEN]


@dataclass(frozen=True)
class BornInYear(Task):
    """Everyone born in the year in which someone was, by name, in the order of the alphabet.

    Nothing is written down first: the names with their dates would be the answer itself.
    """

    def distinct(
        self, fact_table: FactTable, people: Int64[np.ndarray, " people"]
    ) -> Int64[np.ndarray, " distinct"]:
        """One person of each year."""
        return people[np.unique(fact_table.years[people], return_index=True)[1]]

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people."""
        who = people[:, 0]
        years = fact_table.years[who].tolist()
        question = (
            *fact_table.words("Who was born in", who),
            *fact_table.year(who),
            *fact_table.words("?", who),
        )
        names = {year: fact_table.born_in(year) for year in set(years)}
        rows = np.full((len(who), max(map(len, names.values()), default=0)), -1, dtype=np.int32)
        for row, year in zip(rows, years, strict=True):
            row[: len(names[year])] = names[year]
        return QaItems(question, (), tuple(rows.T))

    def texts(self) -> list[str]:
        """The words that its questions and answers need beside those of biographies."""
        return ["Who was born in", "?", NEXT]


_PAIRS = (
    ("birth_city", "employer"),
    ("employer", "birth_city"),
    ("university", "major"),
    ("major", "university"),
    ("company_city", "employer"),
    ("employer", "company_city"),
)
_GIVEN_NAMES = {1: "birth_date", 2: "date_and_city", 3: "three", 4: "four", 6: "all"}


@cache
def tasks() -> dict[str, Task]:
    """Every task by its name."""
    found: list[Task] = [PartOfDate("birth_day"), PartOfDate("birth_year")]
    found += [Pair(f"{a}_then_{b}", first=a, second=b) for a, b in _PAIRS]
    found.append(TwoHop("city_of_employer"))
    for quantity, moduli in (("birth_month", (2, 6, 12)), ("major_rank", (5, 20, 100))):
        found += [Remainder(f"{quantity}_mod_{m}", quantity=quantity, modulus=m) for m in moduli]
        found.append(Comparison(f"{quantity}_ranking", 2, quantity))
        found.append(Comparison(f"{quantity}_subtraction", 2, quantity, is_difference=True))
    for n, given in _GIVEN_NAMES.items():
        for kind in ("first", "full"):
            found.append(Inverse(f"{kind}_name_from_{given}", n_given=n, is_full=kind == "full"))
    found.append(BornInYear("born_in_year"))
    return {task.name: task for task in found}


def task_words(*asked: Task) -> list[str]:
    """Every piece of text that some tasks need beside those of biographies and names."""
    return [ANSWER, HINT, HINT_END, *(text for task in asked for text in task.texts())]
