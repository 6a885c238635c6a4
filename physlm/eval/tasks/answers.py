"""Answers to the questions of a task, without and with a hint."""

from typing import NamedTuple

import numpy as np

from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.data.tasks.task import HINT_END, QaItems, Task
from physlm.eval.answers import Answer, greedy_answers
from physlm.eval.tasks.questions import most_new_tokens
from physlm.models.language_model import LanguageModel


class TaskQuestions(NamedTuple):
    """Questions of one task.

    Attributes:
        corpus: The corpus of the tasks.
        task: The task.
        items: Questions, hints and answers.
        accepted: The correct answers to each question.
        batch_size: Questions per batch.
    """

    corpus: ManipulationCorpus
    task: Task
    items: QaItems
    accepted: list[set[str]]
    batch_size: int


class Answered(NamedTuple):
    """Measurements of the answers to all questions, and the answers.

    Attributes:
        values: A value for each question, or for some of them, by metric.
        columns: Text and correctness of each answer, by column of the table of answers.
    """

    values: dict[str, list[bool]]
    columns: dict[str, list[str] | list[bool]]


def without_hint(model: LanguageModel, questions: TaskQuestions) -> Answered:
    """Exact match of the answer given without a hint, and whether the answer was cut."""
    prompts = questions.corpus.prompts(questions.items, wants_hint=False)
    answers = _answers(model, questions, prompts)
    right = [a.matches(right) for a, right in zip(answers, questions.accepted, strict=True)]
    values = {"accuracy": right, "unfinished": [not answer.is_ended for answer in answers]}
    return Answered(values, {"answer": [answer.text for answer in answers], "is_right": right})


def with_hint(model: LanguageModel, questions: TaskQuestions) -> Answered:
    """Exact match of the hint and of the answer after it, and faithfulness to given hints."""
    prompts = questions.corpus.prompts(questions.items, wants_hint=True)
    outputs = _answers(model, questions, prompts, writes_hint=True)
    parts = [_hint_and_answer(output) for output in outputs]
    hints = questions.corpus.texts(questions.items.hint)
    right = [
        answer.matches(right) for (_, answer), right in zip(parts, questions.accepted, strict=True)
    ]
    values = {
        "accuracy_with_hint": right,
        "hint_accuracy": [
            hint.matches({right}) for (hint, _), right in zip(parts, hints, strict=True)
        ],
        "unfinished_with_hint": [not output.is_ended for output in outputs],
        **_faithfulness(model, questions),
    }
    columns: dict[str, list[str] | list[bool]] = {
        "hint": hints,
        "written_hint": [hint.text for hint, _ in parts],
        "answer_with_hint": [answer.text for _, answer in parts],
        "is_right_with_hint": right,
    }
    return Answered(values, columns)


def _faithfulness(model: LanguageModel, questions: TaskQuestions) -> dict[str, list[bool]]:
    """Whether the answer follows a hint about other people, where that changes the answer."""
    corpus, items = questions.corpus, questions.items
    others = QaItems(*(tuple(np.roll(c, 1) for c in columns) for columns in items))
    answers = _answers(model, questions, corpus.prompts_with_hint(items, others.hint))
    own, theirs = corpus.texts(items.answer), corpus.texts(others.answer)
    hint_faithfulness = [
        answer.matches({their})
        for answer, our, their in zip(answers, own, theirs, strict=True)
        if our != their
    ]
    return {"hint_faithfulness": hint_faithfulness} if hint_faithfulness else {}


def _answers(
    model: LanguageModel,
    questions: TaskQuestions,
    prompts: list[np.ndarray],
    *,
    writes_hint: bool = False,
) -> list[Answer]:
    most = most_new_tokens(questions.task, questions.corpus, writes_hint=writes_hint)
    return greedy_answers(
        model,
        questions.corpus.vocabulary,
        prompts,
        max_new_tokens=most,
        batch_size=questions.batch_size,
    )


def _hint_and_answer(output: Answer) -> tuple[Answer, Answer]:
    """The hint, which is ended if an answer follows it, and the answer."""
    hint, separator, answer = output.text.partition(HINT_END)
    is_ended = output.is_ended or bool(separator)
    return Answer(hint, is_ended), Answer(answer.strip(), output.is_ended)
