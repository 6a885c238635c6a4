"""Queries of probes: random parameters of problems, as inputs with the true classes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, permutations
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int64

from physlm.analysis.adapted_probe import Inputs
from physlm.analysis.igsm.probe_task import NOT_KNOWN, ProbeTask
from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.data.tasks.igsm.language import MARKS, WORDS, words_of
from physlm.data.tasks.igsm.parameter import Parameter

_TOKEN_OF = {word: token for token, word in enumerate((*WORDS, *MARKS))}
_LONGEST_NAME = 5  # two words of each item, and what is between them
LONGEST_QUERY = 2 * _LONGEST_NAME + 3  # two names and the marks around them
UNRELATED = -1  # the distance of a parameter that the question does not need


class Query(NamedTuple):
    """A query about one problem.

    Attributes:
        n_sentences: Sentences of the solution that are read before; 0 in tasks that read none.
        parameter: A.
        other: B; None in tasks of one parameter.
    """

    n_sentences: int
    parameter: Parameter
    other: Parameter | None = None


@dataclass(frozen=True, slots=True)
class Queries:
    """Queries of one task, with the inputs of its probe.

    Attributes:
        inputs: The text, the description, and the true class of each query.
        problems: The number of its problem.
        queries: Each query.
        distances: From the question to its parameter; -1 if the question does not need it.
    """

    inputs: Inputs
    problems: Int64[np.ndarray, " queries"]
    queries: tuple[Query, ...]
    distances: Int64[np.ndarray, " queries"]


def drawn_queries(
    task: ProbeTask,
    problems: Sequence[SolvedProblem],
    rng: np.random.Generator,
    n_draws: int,
    *,
    is_balanced: bool,
) -> Queries:
    """Random queries about each problem, without replacement.

    Args:
        task: What is asked.
        problems: Problems with their own solutions.
        rng: Generator of the draws.
        n_draws: Queries about one problem, at most.
        is_balanced: Whether each problem gets as many true as false queries.
    """
    chosen = (_drawn(task, p, rng, n_draws, is_balanced=is_balanced) for p in problems)
    return queries_of(task, problems, list(chosen))


def queries_of(
    task: ProbeTask, problems: Sequence[SolvedProblem], chosen: Sequence[Sequence[Query]]
) -> Queries:
    """Chosen queries about each problem, with the inputs of the probe.

    Args:
        task: What is asked.
        problems: The problems.
        chosen: The queries about each problem.

    Raises:
        ValueError: If there is no query.
    """
    asked = [(i, query) for i, own in enumerate(chosen) for query in own]
    if not asked:
        raise ValueError(
            f"none of the {len(problems)} problems has queries of the task {task.value}"
        )
    texts = [_text(task, problems[i], query) for i, query in asked]
    ends = np.array([len(text) - 1 for text in texts])
    tokens = np.zeros((len(texts), int(ends.max()) + 1), np.int32)
    tokens[np.arange(tokens.shape[1]) <= ends[:, None]] = np.concatenate(texts)
    classes = np.array([label(task, problems[i], query) for i, query in asked])
    distances = [problems[i].distances.get(query.parameter, UNRELATED) for i, query in asked]
    return Queries(
        Inputs(tokens, ends[:, None], classes),
        np.array([i for i, _ in asked]),
        tuple(query for _, query in asked),
        np.array(distances),
    )


def label(task: ProbeTask, solved: SolvedProblem, query: Query) -> int:
    """The true class of a query: 1 if the statement is true, a value, or that it is not known."""
    problem, a = solved.problem, query.parameter
    if task is ProbeTask.nece:
        return int(a in problem.necessary)
    if task is ProbeTask.dep:
        return int(query.other in solved.dependencies[a])
    known = solved.known(query.n_sentences)
    if task is ProbeTask.known:
        return int(a in known)
    if task is ProbeTask.value:
        return problem.values[a] if a in known else NOT_KNOWN
    can_next = a not in known and known.issuperset(problem.dependencies[a])
    return int(can_next and (task is ProbeTask.can_next or a in problem.necessary))


def every_query(task: ProbeTask, solved: SolvedProblem) -> Iterator[Query]:
    """All queries of a task about a problem: each parameter at each place, or each pair."""
    if task is ProbeTask.dep:
        return (Query(0, a, b) for a, b in permutations(solved.problem.dependencies, 2))
    places = range(solved.n_sentences + 1 if task.is_in_solution else 1)
    return (Query(n, a) for n in places for a in solved.problem.dependencies)


def _drawn(
    task: ProbeTask,
    solved: SolvedProblem,
    rng: np.random.Generator,
    n_draws: int,
    *,
    is_balanced: bool,
) -> list[Query]:
    queries = list(every_query(task, solved))
    shuffled = [queries[i] for i in rng.permutation(len(queries))]
    if not is_balanced:
        return shuffled[:n_draws]
    by_class: tuple[list[Query], list[Query]] = ([], [])
    for query in shuffled:
        by_class[label(task, solved, query)].append(query)
    n = min(n_draws // 2, *map(len, by_class))
    return [*by_class[0][:n], *by_class[1][:n]]


def _text(task: ProbeTask, solved: SolvedProblem, query: Query) -> Int[np.ndarray, " _text"]:
    """The text up to the place, and the description of one or two parameters."""
    if task is ProbeTask.nece:
        before = solved.statement
    elif task is ProbeTask.dep:
        before = solved.unasked
    else:
        before = solved.up_to(query.n_sentences)
    words = ["<start>", *words_of(query.parameter.name)]
    if query.other is not None:
        words += ["<mid>", *words_of(query.other.name)]
    description = [_TOKEN_OF[word] for word in chain(words, ["<end>"])]
    return np.concatenate((before, np.array(description)))
