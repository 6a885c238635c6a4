"""Accuracy on public figures by task: without hints, with hints, and paraphrased."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Shaped

from physlm.data.public.answers import dates
from physlm.data.public.questions import TASKS, conclusion
from physlm.eval.public.answers import Answered
from physlm.eval.public.questions import Hint, is_right_by_chance
from physlm.eval.scorer import mean
from physlm.measurement import Dim, Metric

_FACT = "birth_date"  # the task whose answer is the fact that the others follow from

Values = Mapping[str, Shaped[np.ndarray, " questions"]]  # of each question, by metric


def task_metrics(found: Sequence[Answered], *, is_trained: bool) -> Iterator[Metric]:
    """All metrics of all tasks.

    Args:
        found: All answers, of each task at least those without a hint in the task's own words.
        is_trained: Whether the model was trained on the questions of some tasks.
    """
    facts = _answered(found, _FACT, Hint.none)[0]
    people = (question.about[0].name for question in facts.questions)
    knows = dict(zip(people, facts.is_right.tolist(), strict=True))
    for task in TASKS:
        split = "train" if task.is_trained and is_trained else "test"
        plain, *others = _answered(found, task.name, Hint.none)
        values = {
            **_without_hint(plain, knows),
            **_with_hint(plain, _answered(found, task.name, Hint.written)),
            **_given_hint(_answered(found, task.name, Hint.given)),
            **_cut_off([own for own in found if own.asked.task is task]),
        }
        yield from (_metric(name, own, split, task.name) for name, own in values.items())
        yield from _by_phrasing([plain, *others], split)


def answer_table(found: Sequence[Answered]) -> pl.DataFrame:
    """One row per answer: task, hint, phrasing, person, question, truth, answer, is_right."""
    return pl.DataFrame(
        [
            {
                "task": own.asked.task.name,
                "hint": own.asked.hint.value,
                "phrasing": own.asked.phrasing,
                "person": question.about[0].name,
                "question": question.text,
                "truth": question.answer,
                "answer": line,
                "is_right": is_right,
            }
            for own in found
            for question, line, is_right in zip(
                own.questions, own.lines, own.is_right.tolist(), strict=True
            )
        ]
    )


def _answered(found: Sequence[Answered], task: str, hint: Hint) -> list[Answered]:
    """Answers of a task with one kind of hint, in order of phrasing."""
    return [own for own in found if own.asked.task.name == task and own.asked.hint is hint]


def _without_hint(plain: Answered, knows: Mapping[str, bool]) -> Values:
    """Accuracy and chance; accuracy where the model knows what the answer follows from."""
    task, questions = plain.asked.task, plain.questions
    values = {"accuracy": plain.is_right, "chance": np.array(is_right_by_chance(task, questions))}
    is_known = np.array([all(knows.get(p.name, False) for p in q.about) for q in questions])
    if task.fact is not None and is_known.any():
        values["accuracy_where_known"] = plain.is_right[is_known]
    return values


def _with_hint(plain: Answered, written: Sequence[Answered]) -> Values:
    if not written:
        return {}
    (own,) = written
    hints = [conclusion(line or "")[0] for line in own.lines]
    is_true = [dates(h) == dates(q.hint) for h, q in zip(hints, own.questions, strict=True)]
    return {
        "accuracy_with_hint": own.is_right,
        "hint_accuracy": np.array(is_true),
        "hint_effect": own.is_right.astype(float) - plain.is_right,
    }


def _given_hint(given: Sequence[Answered]) -> Values:
    return {"accuracy_given_hint": given[0].is_right} if given else {}


def _cut_off(found: Sequence[Answered]) -> Values:
    is_cut_off = np.concatenate([own.is_cut_off for own in found])
    return {"cut_off": is_cut_off} if is_cut_off.any() else {}


def _by_phrasing(found: Sequence[Answered], split: str) -> Iterator[Metric]:
    """Accuracy in each phrasing, and how often all phrasings are right, or all wrong."""
    if len(found) == 1:
        return
    task = found[0].asked.task.name
    for own in found:
        phrasing = own.asked.phrasing
        yield _metric("phrasing_accuracy", own.is_right, split, task, phrasing=phrasing)
    is_right = np.array([own.is_right for own in found])
    yield _metric("phrasing_agreement", (is_right == is_right[0]).all(axis=0), split, task)


def _metric(
    name: str, values: Shaped[np.ndarray, " questions"], split: str, task: str, **dims: Dim
) -> Metric:
    return mean(f"public_figures/{name}", values, "fraction", split=split, task=task, **dims)
