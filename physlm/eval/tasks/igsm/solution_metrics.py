"""The metrics of written solutions."""

from collections.abc import Iterator, Sequence

import numpy as np

from physlm.data.tasks.igsm.verdict import FaultKind
from physlm.eval.scorer import mean
from physlm.eval.tasks.igsm.problem_sets import ProblemSet
from physlm.eval.tasks.igsm.solutions import UNFINISHED, Written
from physlm.measurement import Dim, Metric

ASPECTS = ("format", "order", "calculation", "necessity")
FAULTS = (*(kind.value for kind in FaultKind), UNFINISHED)


def solution_metrics(asked: ProblemSet, written: Sequence[Written], common: int) -> list[Metric]:
    """All metrics of the solutions of one set.

    Args:
        asked: The set.
        written: A solution of each of its problems.
        common: The most common answer in training.
    """
    return [
        *accuracies(written, asked.dims),
        chance([w.question.problem.answer for w in written], common, asked.dims),
        *_by_operations(asked, written, common),
        *_lengths(written, asked.dims),
        *_first_faults(written, asked.dims),
    ]


def accuracies(written: Sequence[Written], dims: dict[str, Dim]) -> Iterator[Metric]:
    """Fractions of solutions that are right, overall and in each aspect."""
    yield _fraction("accuracy", [w.is_right for w in written], dims)
    yield _fraction("answer_accuracy", [w.has_right_answer for w in written], dims)
    for aspect in ASPECTS:
        yield _fraction(aspect, [w.has(aspect) for w in written], dims)
    yield _fraction("unfinished", [not w.is_ended for w in written], dims)


def dropped(asked: ProblemSet) -> Metric:
    """The fraction of problems that do not fit into a training window."""
    is_dropped = np.arange(asked.n_drawn) >= len(asked.questions)
    return mean("igsm/dropped", is_dropped, "fraction", **asked.dims)


def chance(answers: Sequence[int], common: int, dims: dict[str, Dim]) -> Metric:
    """The accuracy of the most common answer in training."""
    return _fraction("chance", [answer == common for answer in answers], dims)


def _by_operations(asked: ProblemSet, written: Sequence[Written], common: int) -> Iterator[Metric]:
    """Accuracies and chance by number of operations, where they vary as in training."""
    if "op" in asked.dims:
        return
    for op in sorted({w.question.n_operations for w in written}):
        own = [w for w in written if w.question.n_operations == op]
        dims = {**asked.dims, "op": op}
        yield from accuracies(own, dims)
        yield chance([w.question.problem.answer for w in own], common, dims)


def _lengths(written: Sequence[Written], dims: dict[str, Dim]) -> Iterator[Metric]:
    """Numbers of unnecessary parameters, and of those that are taken back."""
    right = [w for w in written if w.is_right]
    if right:
        counts = np.array([len(w.verdict.unnecessary) for w in right])
        yield mean("igsm/unnecessary", counts, "parameters/solution", **dims)
    for name, own in (("right", right), ("wrong", [w for w in written if not w.is_right])):
        if own:
            counts = np.array([w.verdict.n_back for w in own])
            yield mean("igsm/back", counts, "parameters/solution", **dims, solution=name)


def _first_faults(written: Sequence[Written], dims: dict[str, Dim]) -> Iterator[Metric]:
    """How often the first fault of a wrong solution is of each kind; the fractions sum to 1."""
    kinds = [w.fault_kind for w in written if not w.is_right]
    for fault in FAULTS if kinds else ():
        yield _fraction("first_fault", [kind == fault for kind in kinds], {**dims, "fault": fault})


def _fraction(name: str, values: Sequence[bool], dims: dict[str, Dim]) -> Metric:
    return mean(f"igsm/{name}", np.array(values), "fraction", **dims)
