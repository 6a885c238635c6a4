"""Answers without all steps: of models asked at once, and of models that learnt to skip steps."""

from collections.abc import Iterator, Sequence

import numpy as np

from physlm.eval.scorer import mean
from physlm.eval.tasks.igsm.problem_sets import ProblemSet, Question
from physlm.eval.tasks.igsm.solutions import asked_at_once
from physlm.measurement import Dim, Metric
from physlm.models.language_model import LanguageModel

_NAME = "igsm/answer_accuracy"


def answers_at_once(
    model: LanguageModel, asked: ProblemSet, n_given: int, answer_mark: int, batch_size: int
) -> Iterator[Metric]:
    """Accuracy of the number that follows some true sentences; by operations where they vary.

    Only problems with at least one withheld sentence are asked.

    Args:
        model: The model.
        asked: The problems.
        n_given: Sentences that are given.
        answer_mark: The token that the answer follows.
        batch_size: Problems at once.
    """
    questions = [q for q in asked.questions if q.withholds(n_given)]
    if not questions:
        return
    tokens = asked_at_once(model, questions, n_given, answer_mark, batch_size)
    is_right = tokens == np.array([q.problem.answer for q in questions])
    yield from by_operations(is_right, questions, {**asked.dims, "given": n_given})


def by_operations(
    is_right: np.ndarray, questions: Sequence[Question], dims: dict[str, Dim], name: str = _NAME
) -> Iterator[Metric]:
    """Accuracy of answers overall, and by number of operations if the dimensions have none."""
    yield mean(name, is_right, "fraction", **dims)
    if "op" in dims:
        return
    operations = np.array([q.n_operations for q in questions])
    for op in np.unique(operations):
        yield mean(name, is_right[operations == op], "fraction", **dims, op=int(op))
