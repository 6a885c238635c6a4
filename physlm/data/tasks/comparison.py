"""Classification and comparison tasks: a number modulo m, and the numbers of two people."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from physlm.data.people.fact_table import NO, YES, Columns, FactTable
from physlm.data.tasks.task import BETWEEN, QaItems, Task


@dataclass(frozen=True)
class Numbered(Task):
    """A task on a number that follows from an attribute: the month of birth, or a major's rank.

    The hint is the attribute.
    """

    quantity: str = "birth_month"

    def _number(
        self, fact_table: FactTable, named: Int64[np.ndarray, " questions"]
    ) -> Int64[np.ndarray, " questions"]:
        numbers: np.ndarray = (
            fact_table.months if self.quantity == "birth_month" else fact_table.major_ranks
        )
        chosen: np.ndarray = numbers[named]
        return chosen

    def _hint(self, fact_table: FactTable, named: np.ndarray) -> Columns:
        is_month = self.quantity == "birth_month"
        return fact_table.month(named) if is_month else fact_table.value("major", named)


@dataclass(frozen=True)
class Remainder(Numbered):
    """Classification: the number modulo m; for months modulo 2, whether it is even."""

    modulus: int = 2

    @property
    def _words(self) -> tuple[str, str]:
        if self.modulus == 2 and self.quantity == "birth_month":
            return "Was", " born in an even month?"
        noun = "birth month" if self.quantity == "birth_month" else "luck of the major"
        return f"What is the {noun} modulo {self.modulus} of", "?"

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people, one for each row."""
        named = people[:, 0]
        before, after = self._words
        remainder = self._number(fact_table, named) % self.modulus
        is_parity = self.modulus == 2 and self.quantity == "birth_month"
        answer = fact_table.yes(remainder == 0) if is_parity else fact_table.number(remainder)
        question = (
            *fact_table.words(before, named),
            *fact_table.name(named),
            *fact_table.words(after, named),
        )
        return QaItems(question, self._hint(fact_table, named), answer)

    def texts(self) -> list[str]:
        """The words that questions and answers need in addition to those of biographies."""
        return [*self._words, YES, NO]


@dataclass(frozen=True)
class Comparison(Numbered):
    """Comparison of two people: whether the number of the first is larger, or by how much."""

    is_difference: bool = False

    @property
    def _words(self) -> tuple[str, str, str]:
        is_month = self.quantity == "birth_month"
        if self.is_difference:
            noun = "birth month later" if is_month else "major luckier"
            return f"By how much is the {noun} for", " than for", "?"
        if is_month:
            return "Was", " born in a later month than", "?"
        return "Is the major luckier for", " than for", "?"

    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people, one for each row."""
        one, other = people.T
        difference = self._number(fact_table, one) - self._number(fact_table, other)
        is_larger = fact_table.yes(difference > 0)
        answer = fact_table.number(difference) if self.is_difference else is_larger
        before, between, after = (fact_table.words(text, one) for text in self._words)
        hint = (
            *self._hint(fact_table, one),
            *fact_table.words(BETWEEN, one),
            *self._hint(fact_table, other),
        )
        question = (*before, *fact_table.name(one), *between, *fact_table.name(other), *after)
        return QaItems(question, hint, answer)

    def texts(self) -> list[str]:
        """The words that questions and answers need in addition to those of biographies."""
        return [*self._words, YES, NO, BETWEEN]
