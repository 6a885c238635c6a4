"""Retrieval tasks: a part of an attribute, two attributes at once, and two hops."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from physlm.data.people.fact_table import FactTable
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.tasks.task import BETWEEN, QaItems, Task


@dataclass(frozen=True)
class PartOfDate(Task):
    """Partial retrieval: the day or the year of birth alone. The hint is the whole date."""

    @property
    def _words(self) -> str:
        part = self.name.removeprefix("birth_")
        return {"day": "On which day of the month was", "year": "In which year was"}[part]

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people, one for each row."""
        named = people[:, 0]
        is_year = self.name == "birth_year"
        answer = fact_table.year(named) if is_year else fact_table.number(fact_table.days[named])
        question = (
            *fact_table.words(self._words, named),
            *fact_table.name(named),
            *fact_table.words(" born?", named),
        )
        return QaItems(question, fact_table.value("birth_date", named), answer)

    def texts(self) -> list[str]:
        """The words that questions and answers need in addition to those of biographies."""
        return [self._words, " born?"]


_NOUNS = {
    "birth_city": "birth city",
    "university": "university",
    "major": "major",
    "employer": "employer",
    "company_city": "company city",
}


@dataclass(frozen=True)
class Pair(Task):
    """Dual retrieval: two attributes in a given order. The hint has the order of biographies."""

    first: str = ""
    second: str = ""

    @property
    def _words(self) -> str:
        return f"What are the {_NOUNS[self.first]} and the {_NOUNS[self.second]} of"

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people, one for each row."""
        named = people[:, 0]
        question = (
            *fact_table.words(self._words, named),
            *fact_table.name(named),
            *fact_table.words("?", named),
        )
        between = fact_table.words(BETWEEN, named)
        first, second = fact_table.value(self.first, named), fact_table.value(self.second, named)
        is_in_order = ATTRIBUTES.index(self.first) < ATTRIBUTES.index(self.second)
        a, b = (first, second) if is_in_order else (second, first)
        return QaItems(question, (*a, *between, *b), (*first, *between, *second))

    def texts(self) -> list[str]:
        """The words that questions and answers need in addition to those of biographies."""
        return [self._words, "?", BETWEEN]


@dataclass(frozen=True)
class TwoHop(Task):
    """Two hops: the city of the company that employs a person. The hint is the company."""

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people, one for each row."""
        named = people[:, 0]
        before, after = (fact_table.words(text, named) for text in self.texts())
        question = (*before, *fact_table.name(named), *after)
        employer, city = (
            fact_table.value("employer", named),
            fact_table.value("company_city", named),
        )
        return QaItems(question, employer, city)

    def texts(self) -> list[str]:
        """The words that questions and answers need in addition to those of biographies."""
        return ["In which city is the company that employs", " based?"]
