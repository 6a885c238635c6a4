"""A manipulation task: one kind of question whose answer is computed from facts about people."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Int64

from physlm.data.people.fact_table import Columns, FactTable

HINT, HINT_END = " Facts:", ". Answer:"
BETWEEN = ";"


class QaItems(NamedTuple):
    """Questions with hints and answers, as columns of piece numbers.

    Attributes:
        question: The words of the question.
        hint: The facts that imply the answer, as a chain of thought before it.
        answer: The correct answer.
    """

    question: Columns
    hint: Columns
    answer: Columns


@dataclass(frozen=True)
class Task(ABC):
    """One kind of question.

    Attributes:
        name: Name, as in the dimension ``task`` of metrics.
        n_people: Number of people in a question.
        may_fit_several: Whether several people may fit a question; the answer of each is correct.
    """

    name: str
    n_people: int = 1
    may_fit_several: ClassVar[bool] = False

    @property
    def stream(self) -> str:
        """The task in the names of random streams: its first name, so that draws stay the same."""
        return self.name.replace("major_rank", "major_luck")

    @abstractmethod
    def ask(self, fact_table: FactTable, people: Int64[np.ndarray, "questions people"]) -> QaItems:
        """Questions about people, one for each row."""

    def distinct(
        self,
        fact_table: FactTable,  # noqa: ARG002
        people: Int64[np.ndarray, " people"],
    ) -> Int64[np.ndarray, " distinct"]:
        """People whose questions are distinct."""
        return people

    @abstractmethod
    def texts(self) -> list[str]:
        """The words that questions and answers need in addition to those of biographies."""
