"""Public figures: their names, birth dates and birth cities, and questions about them."""

import csv
import datetime
import hashlib
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from physlm.data.bio.pools import MONTHS
from physlm.data.corpus import DataConfig, Documents
from physlm.data.tokens import TokenizerName, Vocabulary
from physlm.rng import stream

_TABLE = Path(__file__).parent / "figures.csv"
_YEAR = re.compile(r"\b1[5-9]\d\d\b|\b20\d\d\b")
_DAY = re.compile(r"\b([1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\b")


class Figure(NamedTuple):
    """One person.

    Attributes:
        name: As people of today call them.
        birth_date: In the Gregorian calendar.
        birth_city: Under its English name, or the one it had then.
    """

    name: str
    birth_date: datetime.date
    birth_city: str

    @property
    def written_date(self) -> str:
        """Such as June 23, 1912."""
        date = self.birth_date
        return f"{MONTHS[date.month - 1]} {date.day}, {date.year}"


@cache
def figures() -> tuple[Figure, ...]:
    """All of them, from the eldest to the youngest."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        Figure(row["name"], datetime.date.fromisoformat(row["birth_date"]), row["birth_city"])
        for row in rows
    )


class Question(NamedTuple):
    """A question and what answers it.

    Attributes:
        text: The question.
        answer: The right one.
        accepted: All that are right, where several people fit.
        about: The names of those who fit, and of whom they are compared with.
    """

    text: str
    answer: str
    accepted: frozenset[str]
    about: frozenset[str]


def _of_dates(line: str) -> set[str]:
    """The date that a line gives, whether its day comes before its month or after."""
    months = {month for month in MONTHS if re.search(rf"\b{month}\b", line, re.IGNORECASE)}
    days, years = set(_DAY.findall(line)), set(_YEAR.findall(line))
    if len(months) == len(days) == len(years) == 1:
        return {f"{months.pop()} {days.pop()}, {years.pop()}"}
    return set()


def _of_years(line: str) -> set[str]:
    return set(_YEAR.findall(line))


def _of_cities(line: str) -> set[str]:
    return _named(line, {figure.birth_city for figure in figures()})


def _of_names(line: str) -> set[str]:
    return _named(line, {figure.name for figure in figures()})


def _of_yes_and_no(line: str) -> set[str]:
    return _named(line, {"Yes", "No"})


def _named(line: str, values: set[str]) -> set[str]:
    """Which of the values a line has, accents and case aside."""
    words = f" {_plain(line)} "
    return {value for value in values if f" {_plain(value)} " in words}


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = (c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c))
    return " ".join("".join(letters).split())


@dataclass(frozen=True, slots=True)
class PublicTask:
    """A kind of question.

    Attributes:
        name: In metrics.
        wording: The question; its fields are those of a person and, of two, ``other``.
        answer: To the question about a person and, where it needs one, another.
        values: The answers that a line of text gives.
        has_other: A question compares a person with another.
        is_trained: A model of our own learns its answers; the others follow from them.
    """

    name: str
    wording: str
    answer: Callable[[Figure, Figure], str]
    values: Callable[[str], set[str]]
    has_other: bool = False
    is_trained: bool = False

    def ask(self, figure: Figure, other: Figure) -> Question:
        """The question about a person, and another where it needs one."""
        text = self._text(figure, other)
        fitting = [f for f in figures() if self._text(f, other) == text]
        accepted = frozenset(self.answer(f, other) for f in fitting)
        about = {f.name for f in fitting} | ({other.name} if self.has_other else set())
        return Question(text, self.answer(figure, other), accepted, frozenset(about))

    def is_right(self, question: Question, line: str) -> bool:
        """Whether a line gives one answer, and a right one."""
        given = self.values(line)
        return len(given) == 1 and given <= question.accepted

    def _text(self, figure: Figure, other: Figure) -> str:
        return self.wording.format(
            name=figure.name, date=figure.written_date, city=figure.birth_city, other=other.name
        )


TASKS = (
    PublicTask("birth_date", "When was {name} born?", lambda f, _: f.written_date, _of_dates,
               is_trained=True),
    PublicTask("birth_year", "In which year was {name} born?",
               lambda f, _: str(f.birth_date.year), _of_years, is_trained=True),
    PublicTask("birth_city", "In which city was {name} born?", lambda f, _: f.birth_city,
               _of_cities, is_trained=True),
    PublicTask("birth_month_mod_2", "Was {name} born in an even month?",
               lambda f, _: "No" if f.birth_date.month % 2 else "Yes", _of_yes_and_no),
    PublicTask("birth_date_ranking", "Was {name} born earlier than {other}?",
               lambda f, g: "Yes" if f.birth_date < g.birth_date else "No", _of_yes_and_no,
               has_other=True),
    PublicTask("full_name_from_birth_date", "Which famous person was born on {date}?",
               lambda f, _: f.name, _of_names),
    PublicTask("full_name_from_date_and_city",
               "Which famous person was born on {date} in {city}?", lambda f, _: f.name, _of_names),
)  # fmt: skip


def line_of(question: str, answer: str = "") -> str:
    """A question with its answer, or up to where the answer begins."""
    return f"Question: {question}\nAnswer:{' ' if answer else ''}{answer}"


@dataclass(kw_only=True, slots=True)
class PublicFiguresConfig(DataConfig):
    """Questions about public figures; one epoch asks for every date, year and city once.

    Published models have read about these people. A model of our own learns what it is asked for
    forwards; manipulations and inverse questions are for tests.
    """

    exposures: int = 100
    seq_len: int = 256
    tokenizer: TokenizerName = TokenizerName.compact

    def build(self, seed: int) -> "PublicFiguresCorpus":
        """The corpus in the order of a seed."""
        return PublicFiguresCorpus(self, seed)


@dataclass(frozen=True)
class PublicFiguresCorpus:
    """Questions as documents: end-of-text, the question, and its answer to the end."""

    config: PublicFiguresConfig
    seed: int

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens of all questions and answers, of those for tests too."""
        people = figures()
        others = (*people[1:], people[0])
        asked = [task.ask(f, g) for task in TASKS for f, g in zip(people, others, strict=True)]
        texts = [f"{line_of(question.text, question.answer)}\n" for question in asked]
        return Vocabulary.build(self.config.tokenizer, texts)

    @property
    def n_documents(self) -> int:
        """Questions with answers to learn."""
        return len(self._texts)

    @property
    def n_epochs(self) -> int:
        """Times each is read."""
        return self.config.exposures

    @property
    def entropy_bits(self) -> float:
        """Of dates and cities, were each drawn at random from those between the first and last."""
        people = figures()
        n_dates = (people[-1].birth_date - people[0].birth_date).days + 1
        n_cities = len({figure.birth_city for figure in people})
        return len(people) * (math.log2(n_dates) + math.log2(n_cities))

    def fingerprint(self) -> str:
        """SHA-256 over the texts, their tokens and the seed."""
        content = (self._texts, self.config.tokenizer.value, self.seed)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Questions ``first`` to ``last - 1`` of the epoch's shuffled order."""
        order = stream(self.seed, "epoch", number, "public figures").permutation(self.n_documents)
        return _laid_out([self._encoded[i] for i in order[first:last]])

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        trained = [task for task in TASKS if task.is_trained]
        asked = [task.ask(figure, figure) for figure in figures() for task in trained]
        return tuple(line_of(question.text, question.answer) for question in asked)

    @cached_property
    def _encoded(self) -> list[np.ndarray]:
        vocabulary = self.vocabulary
        return [np.append(vocabulary.eos, vocabulary.encode(text)) for text in self._texts]


def _laid_out(rows: Sequence[np.ndarray]) -> Documents:
    lengths: Int64[np.ndarray, " documents"] = np.array([len(row) for row in rows])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Documents(np.concatenate(rows).astype(np.int32), starts)
