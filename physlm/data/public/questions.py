"""Questions about public figures: retrieval, manipulation and inverse search."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from physlm.data.public.answers import dates, is_name, is_place, years, yes_or_no
from physlm.data.public.figures import Figure, figures

_THEREFORE = "Therefore:"  # between a hint and the answer


class Question(NamedTuple):
    """A question and its correct answers.

    Attributes:
        text: The question.
        answer: The correct answer.
        hint: Sentences with the facts that the answer follows from; empty if it is such a fact.
        about: The person it is about and, in comparisons, the second person.
        fitting: All figures that fit the question; the answer of any of them is correct.
    """

    text: str
    answer: str
    hint: str
    about: tuple[Figure, ...]
    fitting: tuple[Figure, ...]

    @property
    def people(self) -> set[str]:
        """Names of all people it is about, or could be about."""
        return {figure.name for figure in (*self.about, *self.fitting)}

    def is_apart_from(self, another: "Question") -> bool:
        """Whether the two questions have no person in common."""
        return self.people.isdisjoint(another.people)


@dataclass(frozen=True, slots=True)
class PublicTask:
    """A kind of question.

    Attributes:
        name: Name, as in the dimension ``task`` of metrics.
        template: The question, with fields of a person and ``other``.
        answer: The answer about a person and, in comparisons, a second person.
        reads: Whether a line of text gives the correct answer about a person and a second one.
        paraphrases: The same question in other words.
        fact: A sentence about a person that an answer follows from; None where the question asks
            for the fact itself.
        is_inverse: Whether the answer is a name; the fact then belongs in the prompt, since it
            states the answer.
        has_other: Whether questions compare a person with another.
        is_trained: Whether the task is in the training corpus; the others follow from its facts.
    """

    name: str
    template: str
    answer: Callable[[Figure, Figure], str]
    reads: Callable[[str, Figure, Figure], bool]
    paraphrases: tuple[str, ...] = ()
    fact: Callable[[Figure], str] | None = None
    is_inverse: bool = False
    has_other: bool = False
    is_trained: bool = False

    @property
    def n_phrasings(self) -> int:
        """Number of wordings of the question: the template and its paraphrases."""
        return 1 + len(self.paraphrases)

    @property
    def is_written_out(self) -> bool:
        """Whether a model can write the facts before the answer, as a hint."""
        return self.fact is not None and not self.is_inverse

    def ask(self, figure: Figure, other: Figure, phrasing: int = 0) -> Question:
        """The question about a person and, in comparisons, a second person.

        Args:
            figure: The person.
            other: The second person.
            phrasing: 0 for the template, k for paraphrase k.
        """
        template = (self.template, *self.paraphrases)[phrasing]
        text = _filled(template, figure, other)
        about = (figure, other) if self.has_other else (figure,)
        return Question(
            text,
            self.answer(figure, other),
            "" if self.fact is None else " ".join(map(self.fact, about)),
            about,
            (figure,) if "{name}" in template else _fitting(template)[text],
        )

    def is_right(self, question: Question, line: str) -> bool:
        """Whether a line gives exactly one answer, and a correct one."""
        return any(self.reads(line, f, question.about[-1]) for f in question.fitting)


@cache
def _fitting(template: str) -> dict[str, tuple[Figure, ...]]:
    """The figures that fit each question of a template without a name."""
    found: dict[str, tuple[Figure, ...]] = {}
    for figure in figures():
        text = _filled(template, figure, figure)
        found[text] = (*found.get(text, ()), figure)
    return found


def _filled(template: str, figure: Figure, other: Figure) -> str:
    return template.format(
        name=figure.name, date=figure.written_date, place=figure.birthplace, other=other.name
    )


def _born_on(figure: Figure) -> str:
    return f"{figure.name} was born on {figure.written_date}."


def _born_on_in(figure: Figure) -> str:
    return f"{figure.name} was born on {figure.written_date} in {figure.birthplace}."


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
        paraphrases=(
            "What is the birth date of {name}?",
            "On which day, month and year was {name} born?",
            "What is {name}'s date of birth?",
        ),
        is_trained=True,
    ),
    PublicTask(
        "birth_year",
        "In which year was {name} born?",
        lambda f, _: str(f.birth_date.year),
        lambda line, f, _: years(line) == {str(f.birth_date.year)},
        fact=_born_on,
        is_trained=True,
    ),
    PublicTask(
        "birthplace",
        "Where was {name} born?",
        lambda f, _: f.birthplace,
        lambda line, f, _: is_place(line, f),
        paraphrases=(
            "What is the birthplace of {name}?",
            "In which city or village was {name} born?",
            "What is {name}'s place of birth?",
        ),
        is_trained=True,
    ),
    PublicTask(
        "birth_month_mod_2",
        "Was {name} born in an even month?",
        _parity,
        lambda line, f, g: yes_or_no(line) == {_parity(f, g)},
        fact=_born_on,
    ),
    PublicTask(
        "birth_date_ranking",
        "Was {name} born earlier than {other}?",
        _is_earlier,
        lambda line, f, g: yes_or_no(line) == {_is_earlier(f, g)},
        fact=_born_on,
        has_other=True,
    ),
    PublicTask(
        "full_name_from_birth_date",
        "Which famous person was born on {date}?",
        lambda f, _: f.name,
        lambda line, f, _: is_name(line, f),
        fact=_born_on,
        is_inverse=True,
    ),
    PublicTask(
        "full_name_from_date_and_place",
        "Which famous person was born on {date} in {place}?",
        lambda f, _: f.name,
        lambda line, f, _: is_name(line, f),
        fact=_born_on_in,
        is_inverse=True,
    ),
)


def line_of(question: str, answer: str = "") -> str:
    """A question with its answer, or up to the place of the answer."""
    return f"Question: {question}\nAnswer:{' ' if answer else ''}{answer}"


def reasoned(question: Question) -> str:
    """The answer after its hint, on one line."""
    return f"{question.hint} {_THEREFORE} {question.answer}"


def conclusion(line: str) -> tuple[str, str]:
    """The hint and the answer in a line; the answer is empty if the line gives none."""
    hint, _, answer = line.partition(_THEREFORE)
    return hint, answer.strip()
