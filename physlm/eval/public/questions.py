"""Few-shot prompts with questions about public figures, without hints and with them."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

import numpy as np

from physlm.data.public.figures import Figure, figures
from physlm.data.public.questions import PublicTask, Question, line_of, reasoned
from physlm.eval.answers import most_common_answer
from physlm.rng import stream

_N_DISTRACTORS = 2  # people whose facts are listed beside those of the person asked for


class Hint(str, Enum):
    """Where the facts are from which an answer follows."""

    none = "none"  # in the model alone
    written = "written"  # at the beginning of every answer: the model writes them
    given = "given"  # before every question


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions of one task, and how they are asked.

    Attributes:
        task: The task.
        seed: Seed of pairs, shots and the choice of people.
        n_shots: Questions with answers before each question.
        n_people: Number of people that questions are about; None for all.
        hint: Where the facts are.
        phrasing: 0 for the task's own words, k for paraphrase k.
    """

    task: PublicTask
    seed: int
    n_shots: int
    n_people: int | None = None
    hint: Hint = Hint.none
    phrasing: int = 0

    @property
    def label(self) -> str:
        """Task, hint and phrasing in words, for progress bars."""
        hint = "" if self.hint is Hint.none else f", hint {self.hint.value}"
        phrasing = f", paraphrase {self.phrasing}" if self.phrasing else ""
        return f"{self.task.name}{hint}{phrasing}"

    @property
    def questions(self) -> Sequence[Question]:
        """One question about each person, paired with another of them where the task needs two."""
        people = chosen_people(self.seed, self.n_people)
        return _questions(self.task, self.seed, self.phrasing, people)

    @property
    def prompts(self) -> list[str]:
        """Each question, after questions about other people with their answers."""
        everyone = chosen_people(self.seed, None)
        every = _questions(self.task, self.seed, self.phrasing, everyone)
        return [self._prompt(question, every) for question in self.questions]

    def _prompt(self, question: Question, every: Sequence[Question]) -> str:
        order = stream(self.seed, "shots", self.task.name, question.text).permutation(len(every))
        drawn = (every[i] for i in order.tolist())
        apart = (other for other in drawn if question.is_apart_from(other))
        shots = itertools.islice(apart, self.n_shots)
        distractors = _distractors(stream(self.seed, "bystanders", self.task.name, question.text))
        is_written = self.hint is Hint.written
        lines = [
            self._shown(shot, distractors, reasoned(shot) if is_written else shot.answer)
            for shot in shots
        ]
        return "\n".join([*lines, self._shown(question, distractors)])

    def _shown(self, question: Question, distractors: Iterator[Figure], answer: str = "") -> str:
        """A question as a prompt shows it, with its answer or up to the place of the answer."""
        line = line_of(question.text, answer)
        if self.hint is not Hint.given:
            return line
        return f"{self._facts(question, distractors)}\n{line}"

    def _facts(self, question: Question, distractors: Iterator[Figure]) -> str:
        """The facts; where a name is asked for, among those of other people, in order of names."""
        fact = self.task.fact
        if not self.task.is_inverse or fact is None:
            return question.hint
        others = (figure for figure in distractors if figure.name not in question.people)
        return " ".join(
            sorted([question.hint, *map(fact, itertools.islice(others, _N_DISTRACTORS))])
        )


@cache
def chosen_people(seed: int, n_people: int | None) -> tuple[int, ...]:
    """Numbers of the people that questions are about, in order of birth."""
    order = stream(seed, "people asked about").permutation(len(figures()))
    return tuple(sorted(order[:n_people].tolist()))


@cache
def _questions(
    task: PublicTask, seed: int, phrasing: int, people: tuple[int, ...]
) -> tuple[Question, ...]:
    """One question about each of the people, paired with another of them if the task needs two."""
    rng, n = stream(seed, "pairs of figures", task.name), len(people)
    others = [people[(i + int(rng.integers(1, n))) % n] for i in range(n)]
    return tuple(
        task.ask(figures()[i], figures()[j], phrasing) for i, j in zip(people, others, strict=True)
    )


def _distractors(rng: np.random.Generator) -> Iterator[Figure]:
    people = figures()
    return (people[int(i)] for i in itertools.cycle(rng.permutation(len(people))))


def is_right_by_chance(task: PublicTask, questions: Sequence[Question]) -> list[bool]:
    """Whether the most common answer is correct, for each question."""
    answer = most_common_answer(question.answer for question in questions)
    return [task.is_right(question, answer) for question in questions]
