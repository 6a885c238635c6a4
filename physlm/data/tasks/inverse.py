"""Inverse search tasks: the names of people with given attributes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Int64

from physlm.data.people.fact_table import NEXT, FactTable
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.tasks.task import BETWEEN, QaItems, Task

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
    """Inverse search: the name of the person with given attributes. The hint is all six.

    Source:
        Physics of Language Models, Part 3.2, section 5 (inverse knowledge search).
    """

    n_given: int = 1
    is_full: bool = True
    may_fit_several: ClassVar[bool] = True

    @property
    def _words(self) -> str:
        return f"What is the {'full' if self.is_full else 'first'} name of the person"

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people, one for each row."""
        named = people[:, 0]
        question = list(fact_table.words(self._words, named))
        for attribute in ATTRIBUTES[: self.n_given]:
            question += [
                *fact_table.words(_GIVEN[attribute], named),
                *fact_table.value(attribute, named),
            ]
        question += fact_table.words("?", named)
        hint: list[np.ndarray] = []
        for attribute in ATTRIBUTES:
            hint += [*fact_table.words(BETWEEN, named)] if hint else []
            hint += fact_table.value(attribute, named)
        name = fact_table.name(named)
        return QaItems(tuple(question), tuple(hint), name if self.is_full else name[:1])

    def texts(self) -> list[str]:
        """The words that questions and answers need in addition to those of biographies."""
        return [self._words, *_GIVEN.values(), "?", BETWEEN]


@dataclass(frozen=True)
class BornInYear(Task):
    """The names of all people born in the year of a person, in alphabetical order.

    It has no hint: the names with their dates would be the answer itself.
    """

    def distinct(
        self, fact_table: FactTable, people: Int64[np.ndarray, " people"]
    ) -> Int64[np.ndarray, " distinct"]:
        """One person of each year."""
        return people[np.unique(fact_table.years[people], return_index=True)[1]]

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people, one for each row."""
        named = people[:, 0]
        years = fact_table.years[named].tolist()
        question = (
            *fact_table.words("Who was born in", named),
            *fact_table.year(named),
            *fact_table.words("?", named),
        )
        names = {year: fact_table.born_in(year) for year in set(years)}
        rows = np.full((len(named), max(map(len, names.values()), default=0)), -1, dtype=np.int32)
        for row, year in zip(rows, years, strict=True):
            row[: len(names[year])] = names[year]
        return QaItems(question, (), tuple(rows.T))

    def texts(self) -> list[str]:
        """The words that questions and answers need in addition to those of biographies."""
        return ["Who was born in", "?", NEXT]
