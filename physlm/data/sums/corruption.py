"""Wrong work on chains of arithmetic."""

from dataclasses import replace
from enum import Enum

import numpy as np
from jaxtyping import Bool, Int64

from physlm.data.sums.chains import OPERATORS, Problems, Work, worked_out


class Mistake(str, Enum):
    """How work goes wrong, in each of the chosen steps.

    ``intermediate``: the result is another residue, and the next steps go on from it.
    ``intermediate_not_carried``: the same, but the next step goes on from the right result.
    ``operator``: the step uses another operator than the problem states, and goes on from there.
    ``right_answer``: as ``intermediate``, but the final answer is right.
    """

    intermediate = "intermediate"
    intermediate_not_carried = "intermediate_not_carried"
    operator = "operator"
    right_answer = "right_answer"


MISTAKES = tuple(mistake.value for mistake in Mistake)


def wrong_work(
    problems: Problems, modulus: int, mistake: Mistake, n_errors: int, rng: np.random.Generator
) -> Work:
    """Work with ``n_errors`` wrong steps, drawn at random for each problem.

    Args:
        problems: The problems.
        modulus: m.
        mistake: What is wrong in these steps.
        n_errors: Number of wrong steps.
        rng: Draws the steps and what is written there.
    """
    is_wrong = _chosen(problems.operators.shape, n_errors, rng)
    if mistake is Mistake.operator:
        shifts = rng.integers(1, len(OPERATORS), is_wrong.shape) * is_wrong
        operators = (problems.operators + shifts) % len(OPERATORS)
        return worked_out(replace(problems, operators=operators), modulus)
    shifts = rng.integers(1, modulus, is_wrong.shape) * is_wrong
    is_carried = mistake is not Mistake.intermediate_not_carried
    work = worked_out(problems, modulus, shifts=shifts, is_carried=is_carried)
    if mistake is not Mistake.right_answer:
        return work
    return replace(work, answer=worked_out(problems, modulus).answer)


def _chosen(
    shape: tuple[int, ...], n: int, rng: np.random.Generator
) -> Bool[np.ndarray, "texts steps"]:
    """``n`` random steps of each text."""
    ranks: Int64[np.ndarray, "texts steps"] = rng.random(shape).argsort(axis=1).argsort(axis=1)
    return ranks < n
