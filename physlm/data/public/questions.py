"""Questions about public figures: retrieval, manipulation and inverse search."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from physlm.data.public.answers import dates, is_name, is_place, years, yes_or_no
from physlm.data.public.figures import Figure, figures


class Question(NamedTuple):
    """A question and its correct answers.

    Attributes:
        text: The question.
        answer: The correct answer.
        fitting: All figures that fit the question; the answer of any of them is correct.
        other: The second person of a comparison.
    """

    text: str
    answer: str
    fitting: tuple[Figure, ...]
    other: Figure | None

    def is_apart_from(self, another: "Question") -> bool:
        """Whether the two questions have no person in common."""
        return _people(self).isdisjoint(_people(another))


@dataclass(frozen=True, slots=True)
class PublicTask:
    """A kind of question.

    Attributes:
        name: As in the dimension ``task`` of metrics.
        template: The question, with fields of a person and ``other``.
        answer: The answer about a person and, in comparisons, a second person.
        reads: Whether a line of text gives the correct answer about a person and a second one.
        has_other: Whether questions compare a person with another.
        is_trained: Whether the task is in the training corpus; the others follow from its facts.
    """

    name: str
    template: str
    answer: Callable[[Figure, Figure], str]
    reads: Callable[[str, Figure, Figure], bool]
    has_other: bool = False
    is_trained: bool = False

    def ask(self, figure: Figure, other: Figure) -> Question:
        """The question about a person and, in comparisons, a second person."""
        text = self._text(figure, other)
        fitting = tuple(f for f in figures() if self._text(f, other) == text)
        return Question(
            text, self.answer(figure, other), fitting, other if self.has_other else None
        )

    def is_right(self, question: Question, line: str) -> bool:
        """Whether a line gives exactly one answer, and a correct one."""
        return any(self.reads(line, f, question.other or f) for f in question.fitting)

    def _text(self, figure: Figure, other: Figure) -> str:
        return self.template.format(
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
    """A question with its answer, or up to the place of the answer."""
    return f"Question: {question}\nAnswer:{' ' if answer else ''}{answer}"
