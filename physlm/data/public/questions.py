"""Questions about public figures: forwards, from what follows, and backwards."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from physlm.data.public.answers import dates, is_name, is_place, years, yes_or_no
from physlm.data.public.figures import Figure, figures


class Question(NamedTuple):
    """A question and what answers it.

    Attributes:
        text: The question.
        answer: The right one.
        fitting: Everyone in the table whom it fits; the answer of any of them is right.
        other: With whom they are compared, if with anyone.
    """

    text: str
    answer: str
    fitting: tuple[Figure, ...]
    other: Figure | None

    def is_apart_from(self, another: "Question") -> bool:
        """Whether nobody is in both questions."""
        return _people(self).isdisjoint(_people(another))


@dataclass(frozen=True, slots=True)
class PublicTask:
    """A kind of question.

    Attributes:
        name: In metrics.
        paraphrase: The question; its fields are those of a person and, of two, ``other``.
        answer: To the question about a person and, where it needs one, another.
        reads: Whether a line of text gives the right answer about a person and another.
        has_other: A question compares a person with another.
        is_trained: A model of our own learns its answers; the others follow from them.
    """

    name: str
    paraphrase: str
    answer: Callable[[Figure, Figure], str]
    reads: Callable[[str, Figure, Figure], bool]
    has_other: bool = False
    is_trained: bool = False

    def ask(self, figure: Figure, other: Figure) -> Question:
        """The question about a person, and another where it needs one."""
        text = self._text(figure, other)
        fitting = tuple(f for f in figures() if self._text(f, other) == text)
        return Question(
            text, self.answer(figure, other), fitting, other if self.has_other else None
        )

    def is_right(self, question: Question, line: str) -> bool:
        """Whether a line gives one answer, and a right one."""
        return any(self.reads(line, f, question.other or f) for f in question.fitting)

    def _text(self, figure: Figure, other: Figure) -> str:
        return self.paraphrase.format(
            name=figure.name, date=figure.written_date, place=figure.birthplace, other=other.name
        )


def _people(question: Question) -> set[str]:
    return {f.name for f in (*question.fitting, question.other) if f is not None}


def _parity(figure: Figure, _: Figure) -> str:
    return "No" if figure.birth_date.month % 2 else "Yes"


def _is_earlier(figure: Figure, other: Figure) -> str:
    return "Yes" if figure.birth_date < other.birth_date else "No"


TASKS = (
    PublicTask(
        "birth_date",
        "When was {name} born?",
        lambda f, _: f.written_date,
        lambda line, f, _: dates(line) == {f.written_date},
        is_trained=True,
    ),
    PublicTask(
        "birth_year",
        "In which year was {name} born?",
        lambda f, _: str(f.birth_date.year),
        lambda line, f, _: years(line) == {str(f.birth_date.year)},
        is_trained=True,
    ),
    PublicTask(
        "birthplace",
        "Where was {name} born?",
        lambda f, _: f.birthplace,
        lambda line, f, _: is_place(line, f),
        is_trained=True,
    ),
    PublicTask(
        "birth_month_mod_2",
        "Was {name} born in an even month?",
        _parity,
        lambda line, f, g: yes_or_no(line) == {_parity(f, g)},
    ),
    PublicTask(
        "birth_date_ranking",
        "Was {name} born earlier than {other}?",
        _is_earlier,
        lambda line, f, g: yes_or_no(line) == {_is_earlier(f, g)},
        has_other=True,
    ),
    PublicTask(
        "full_name_from_birth_date",
        "Which famous person was born on {date}?",
        lambda f, _: f.name,
        lambda line, f, _: is_name(line, f),
    ),
    PublicTask(
        "full_name_from_date_and_place",
        "Which famous person was born on {date} in {place}?",
        lambda f, _: f.name,
        lambda line, f, _: is_name(line, f),
    ),
)


def line_of(question: str, answer: str = "") -> str:
    """A question with its answer, or up to where the answer begins."""
    return f"Question: {question}\nAnswer:{' ' if answer else ''}{answer}"
