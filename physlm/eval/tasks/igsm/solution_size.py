"""Length of the shortest solution of a problem, without writing it."""

from collections.abc import Iterator
from typing import NamedTuple

from physlm.data.tasks.igsm.language import words_of
from physlm.data.tasks.igsm.parameter import Parameter
from physlm.data.tasks.igsm.problem import Problem

# Words of `Define`, `as`, a letter and `;`; of `w = x + y = 3 + 5 = 8 ;`; of a last operation
# beyond those, `so`; of `so v = 5 .`; of `x =` before the number, for a single parent; of the end.
_OPENING, _OPERATION, _SO, _CONSTANT, _COPY, _ANSWER = 4, 12, 1, 5, 2, 2


class SolutionSize(NamedTuple):
    """The size of a solution.

    Attributes:
        n_operations: Operations, one semicolon each.
        n_tokens: Words and marks, those of the answer included.
    """

    n_operations: int
    n_tokens: int


def solution_size(problem: Problem) -> SolutionSize:
    """The size of the solution that defines what the question needs, and nothing else."""
    sizes = list(_sentences(problem))
    n_operations, n_tokens = (sum(column) for column in zip(*sizes, strict=True))
    return SolutionSize(n_operations, n_tokens + _ANSWER)


def _sentences(problem: Problem) -> Iterator[SolutionSize]:
    for parameter in problem.necessary:
        n_combined = _n_combined(problem, parameter)
        n_tokens = _OPENING + len(words_of(parameter.name))
        if n_combined:
            n_tokens += n_combined * _OPERATION + _SO
        else:
            n_tokens += _CONSTANT + _COPY * len(problem.dependencies[parameter])
        yield SolutionSize(max(n_combined, 1), n_tokens)


def _n_combined(problem: Problem, parameter: Parameter) -> int:
    """Operations between two terms; a sum of products has one for each product and each sum."""
    n_terms = len(problem.dependencies[parameter])
    if n_terms and not parameter.is_abstract:
        n_terms += problem.rules[parameter].constant is not None
    return max(n_terms - 1, 0)
