"""What a model answers to the questions of a task: straight away, and after facts."""

from typing import NamedTuple

import numpy as np

from physlm.data.bio.manipulation import ManipulationCorpus
from physlm.data.bio.tasks import FACTS_END, Exercise, Task
from physlm.eval.answers import Answer, written_answers
from physlm.eval.task_questions import most_new_tokens
from physlm.models.language_model import LanguageModel


class Asked(NamedTuple):
    """Questions of one task.

    Attributes:
        corpus: What asks.
        task: What is asked for.
        exercise: The questions, with the facts that they rest on, and the answers.
        accepted: The right answers to each.
        batch_size: Questions read at once.
    """

    corpus: ManipulationCorpus
    task: Task
    exercise: Exercise
    accepted: list[set[str]]
    batch_size: int


def straight(model: LanguageModel, asked: Asked) -> dict[str, list[bool]]:
    """Whether each answer is right."""
    prompts = asked.corpus.prompts(asked.exercise, wants_facts=False)
    written = _written(model, asked, prompts)
    return {
        "accuracy": [w.ends_as(right) for w, right in zip(written, asked.accepted, strict=True)],
        "unfinished": [not w.is_ended for w in written],
    }


def with_facts(model: LanguageModel, asked: Asked) -> dict[str, list[bool]]:
    """Whether what is written first is right, the answer after it, and which facts count."""
    prompts = asked.corpus.prompts(asked.exercise, wants_facts=True)
    written = _written(model, asked, prompts, writes_facts=True)
    split = [_parted(w) for w in written]
    facts = asked.corpus.texts(asked.exercise.facts)
    return {
        "accuracy_with_facts": [
            after.ends_as(right) for (_, after), right in zip(split, asked.accepted, strict=True)
        ],
        "facts": [told.ends_as({fact}) for (told, _), fact in zip(split, facts, strict=True)],
        "unfinished_with_facts": [not w.is_ended for w in written],
        **_reliance(model, asked),
    }


def _reliance(model: LanguageModel, asked: Asked) -> dict[str, list[bool]]:
    """Whether the answer after the facts of somebody else is theirs, where it is another."""
    corpus, exercise = asked.corpus, asked.exercise
    others = Exercise(*(tuple(np.roll(c, 1) for c in columns) for columns in exercise))
    answers = _written(model, asked, corpus.prompts_with_facts(exercise, others.facts))
    own, theirs = corpus.texts(exercise.answer), corpus.texts(others.answer)
    reliance = [
        answer.ends_as({their})
        for answer, our, their in zip(answers, own, theirs, strict=True)
        if our != their
    ]
    return {"reliance": reliance} if reliance else {}


def _written(
    model: LanguageModel, asked: Asked, prompts: list[np.ndarray], *, writes_facts: bool = False
) -> list[Answer]:
    most = most_new_tokens(asked.task, asked.corpus, writes_facts=writes_facts)
    return written_answers(
        model, asked.corpus.vocabulary, prompts, max_new_tokens=most, batch_size=asked.batch_size
    )


def _parted(written: Answer) -> tuple[Answer, Answer]:
    """Facts, which end where the answer is announced, and the answer after them."""
    facts, announced, answer = written.text.partition(FACTS_END)
    is_ended = written.is_ended or bool(announced)
    return Answer(facts, is_ended), Answer(answer.strip(), written.is_ended)
