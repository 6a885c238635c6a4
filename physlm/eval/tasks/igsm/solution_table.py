"""One row for each written solution, from which errors can be read."""

from collections.abc import Sequence

import polars as pl

from physlm.eval.tasks.igsm.problem_sets import ProblemSet
from physlm.eval.tasks.igsm.solutions import Written

_SCHEMA = {
    "set": pl.String,
    "op": pl.Int64,
    "problem": pl.String,
    "question": pl.String,
    "true_solution": pl.String,  # empty if the question is not the document's own
    "true_answer": pl.Int64,
    "written_solution": pl.String,
    "written_answer": pl.Int64,  # null if there is not exactly one number
    "is_ended": pl.Boolean,
    "is_right": pl.Boolean,
    "n_unnecessary": pl.Int64,
    "n_back": pl.Int64,
    "first_fault": pl.String,  # null for a right solution
    "fault_sentence": pl.Int64,  # number of the sentence, from 0
    "fault_text": pl.String,  # the sentence; the end of the solution for faults of the answer
    "fault_detail": pl.String,
}


def solution_table(sets: Sequence[tuple[ProblemSet, list[Written]]]) -> pl.DataFrame:
    """The table of all sets.

    Args:
        sets: Each set with its written solutions.
    """
    rows = [{"set": asked.dims["set"], **_row(written)} for asked, own in sets for written in own]
    return pl.DataFrame(rows, schema=_SCHEMA)


def _row(written: Written) -> dict[str, object]:
    problem, fault = written.question.problem, written.fault
    return {
        "op": written.question.n_operations,
        "problem": problem.text,
        "question": problem.question,
        "true_solution": problem.solution,
        "true_answer": problem.answer,
        "written_solution": written.text,
        "written_answer": written.solution.answer,
        "is_ended": written.is_ended,
        "is_right": written.is_right,
        "n_unnecessary": len(written.verdict.unnecessary),
        "n_back": written.verdict.n_back,
        "first_fault": written.fault_kind or None,
        "fault_sentence": None if fault is None else fault.sentence,
        "fault_text": None if fault is None else _sentence(written.text, fault.sentence),
        "fault_detail": None if fault is None else fault.detail,
    }


def _sentence(text: str, number: int) -> str:
    """A sentence of a solution, or what comes after the last one."""
    body, mark, answer = text.partition("<answer>")
    sentences = [part.strip() for part in body.split(".")]
    own = sentences[number] if number < len(sentences) else ""
    return own or f"{mark}{answer}"
