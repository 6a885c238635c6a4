"""Few-shot prompts with questions about public figures."""

import itertools
from collections.abc import Sequence
from functools import cache

from physlm.data.public.figures import figures
from physlm.data.public.questions import PublicTask, Question, line_of
from physlm.eval.answers import most_common_answer
from physlm.rng import stream


@cache
def questions_of(task: PublicTask, seed: int) -> tuple[Question, ...]:
    """One question about each person, paired with a random other one if the task needs two."""
    people, rng = figures(), stream(seed, "pairs of figures", task.name)
    others = [(i + int(rng.integers(1, len(people)))) % len(people) for i in range(len(people))]
    return tuple(task.ask(figure, people[j]) for figure, j in zip(people, others, strict=True))


def prompts_of(task: PublicTask, seed: int, n_shots: int) -> list[str]:
    """Each question, after ``n_shots`` questions about other people with their answers."""
    questions = questions_of(task, seed)
    rng = stream(seed, "shots", task.name)
    prompts = []
    for question in questions:
        drawn = (questions[i] for i in rng.permutation(len(questions)))
        apart = (other for other in drawn if question.is_apart_from(other))
        shots = itertools.islice(apart, n_shots)
        lines = [line_of(shot.text, shot.answer) for shot in shots]
        prompts.append("\n".join([*lines, line_of(question.text)]))
    return prompts


def is_right_by_chance(task: PublicTask, questions: Sequence[Question]) -> list[bool]:
    """Whether the most common answer is correct, for each question."""
    answer = most_common_answer(question.answer for question in questions)
    return [task.is_right(question, answer) for question in questions]
