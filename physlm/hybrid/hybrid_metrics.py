"""Metrics of the hybrid system, and a table of all of its answers."""

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from physlm.eval.scorer import mean
from physlm.hybrid.calibrated import Asked, Calibrated
from physlm.hybrid.hybrid import Hybrid, HybridAnswer
from physlm.hybrid.router import Method
from physlm.measurement import Measurement, Metric

TOGETHER = "together"

Answers = Mapping[str, Sequence[HybridAnswer]]  # by method, and together


def hybrid_measurement(system: Calibrated) -> Measurement:
    """Everything that the scorer ``hybrid`` measures."""
    metrics, rows = list[Metric](), list[dict[str, object]]()
    for asked in system.tested:
        answers, milliseconds = _timed(system.hybrid, asked.texts)
        metrics += _costs(asked, answers, milliseconds)
        metrics += _accuracies(asked, answers)
        metrics += _routing(system.hybrid, asked, answers)
        rows += _rows(asked, answers)
    return Measurement(tuple(metrics), tables={"hybrid_answers": pl.DataFrame(rows)})


def _timed(hybrid: Hybrid, questions: Sequence[str]) -> tuple[Answers, Mapping[str, float]]:
    """The answers of every method and of all together, and the time of a question."""
    answers, milliseconds = dict[str, Sequence[HybridAnswer]](), dict[str, float]()
    for name in (*(method.value for method in Method), TOGETHER):
        method = None if name == TOGETHER else Method(name)
        began = time.perf_counter()
        answers[name] = hybrid.answers(questions, method)
        milliseconds[name] = 1000 * (time.perf_counter() - began) / len(questions)
    return answers, milliseconds


def _accuracies(asked: Asked, answers: Answers) -> Iterator[Metric]:
    right = {name: asked.are_right(own) for name, own in answers.items()}
    for name, own in right.items():
        yield mean("hybrid/accuracy", own, "fraction", method=name, task=asked.task)
    by_chance = np.array([asked.chance in accepted for accepted in asked.accepted])
    yield mean("hybrid/chance", by_chance, "fraction", task=asked.task)
    best = max((name for name in right if name != TOGETHER), key=lambda name: right[name].mean())
    lost = right[best].astype(float) - right[TOGETHER]
    yield mean("hybrid/regret", lost, "fraction", task=asked.task)


def _costs(asked: Asked, answers: Answers, milliseconds: Mapping[str, float]) -> Iterator[Metric]:
    for name, own in answers.items():
        tokens = np.array([answer.n_tokens for answer in own])
        yield mean("hybrid/tokens", tokens, "tokens", method=name, task=asked.task)
        yield Metric(
            name="hybrid/milliseconds",
            value=milliseconds[name],
            unit="ms",
            n=len(own),
            dims={"method": name, "task": asked.task},
        )


def _routing(hybrid: Hybrid, asked: Asked, answers: Answers) -> Iterator[Metric]:
    """Fractions of chosen methods, of misclassified kinds, and of right documents found."""
    chosen = np.array([answer.method.value for answer in answers[TOGETHER]])
    for method in Method:
        is_chosen = chosen == method.value
        yield mean("hybrid/routed", is_chosen, "fraction", method=method.value, task=asked.task)
    is_mistaken = np.array([hybrid.router.kind(text) != asked.task for text in asked.texts])
    yield mean("hybrid/kind_error", is_mistaken, "fraction", task=asked.task)
    is_found = [
        any(document.title in accepted or document.title in text for document in answer.citations)
        for answer, accepted, text in zip(
            answers[Method.database.value], asked.accepted, asked.texts, strict=True
        )
    ]
    yield mean("hybrid/document_found", np.array(is_found), "fraction", task=asked.task)


def _rows(asked: Asked, answers: Answers) -> Iterator[dict[str, object]]:
    """One row for each question and method."""
    for name, own in answers.items():
        is_right = asked.are_right(own).tolist()
        for question, accepted, answer, right in zip(
            asked.texts, asked.accepted, own, is_right, strict=True
        ):
            yield {
                "task": asked.task,
                "method": name,
                "by": answer.method.value,
                "question": question,
                "truth": min(accepted),
                "answer": answer.text,
                "facts": answer.facts,
                "is_right": right,
                "citations": [document.number for document in answer.citations],
                "n_tokens": answer.n_tokens,
            }
