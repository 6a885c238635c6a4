"""Mistakes in solutions that a model writes, and errors of its probes on the same parameters."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import polars as pl

from physlm.analysis.adapted_probe import AdaptedProbe, predictions
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.analysis.igsm.queries import Query, label, queries_of
from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.eval.scorer import mean
from physlm.measurement import Metric
from physlm.watching import tell

UNNECESSARY, TOO_EARLY = "unnecessary", "too_early"
PROBES = {UNNECESSARY: ProbeTask.nece, TOO_EARLY: ProbeTask.can_next}
FEWEST = 20  # mistakes; fewer are not compared

_SCHEMA = {
    "mistake": pl.String,
    "set": pl.String,
    "problem": pl.Int64,
    "n_sentences": pl.Int64,
    "parameter": pl.String,
    "is_written": pl.Boolean,
    "probe_is_wrong": pl.Boolean,
}


class Suspect(NamedTuple):
    """A parameter that a solution should not define now.

    Attributes:
        query: The parameter, after so many sentences of the solution.
        is_written: Whether the solution does define it.
    """

    query: Query
    is_written: bool


def mistakes_of(
    probes: Mapping[ProbeTask, AdaptedProbe],
    solutions: Mapping[str, Sequence[SolvedProblem]],
    batch_size: int,
) -> pl.DataFrame:
    """Mistakes of solutions, mistakes that they could have made, and errors of probes on them.

    Args:
        probes: Probes of the model that wrote the solutions; mistakes without a probe are left out.
        solutions: Problems with a model's own solutions, by the name of their set.
        batch_size: Inputs of probes at once.

    Returns:
        One row for each parameter that is not needed (``unnecessary``), or cannot be computed where
        the first such one is written (``too_early``): whether the solution defines it, and whether
        the probe of ``nece`` or ``can_next`` is wrong about it there. Solutions without a mistake
        have no rows of it.
    """
    frames = [pl.DataFrame(schema=_SCHEMA)]
    for name, own in solutions.items():
        for mistake, task in PROBES.items():
            if task in probes:
                found = [list(suspects(mistake, solved)) for solved in own]
                rows = _judged(probes[task], task, own, found, batch_size)
                labels = {"mistake": pl.lit(mistake), "set": pl.lit(name)}
                frames.append(rows.with_columns(**labels).select(*_SCHEMA))
    return pl.concat(frames)


def mistake_metrics(
    mistakes: pl.DataFrame, tasks: Sequence[ProbeTask], n_solutions: int
) -> Iterator[Metric]:
    """How often solutions make each mistake, and how often the probe is wrong where they do.

    Args:
        mistakes: Result of `mistakes_of`.
        tasks: Tasks that were probed.
        n_solutions: Solutions that were written.
    """
    for mistake in (name for name, task in PROBES.items() if task in tasks):
        own = mistakes.filter(mistake=mistake)
        n = int(own["is_written"].sum())
        yield Metric(
            name="igsm_probe/mistakes",
            value=n / n_solutions,
            unit="per solution",
            n=n_solutions,
            dims={"mistake": mistake},
        )
        if n < FEWEST:
            tell(
                f"note: igsm_probe/probe_error{{mistake={mistake}}} is left out: {n} mistakes in "
                f"{n_solutions} solutions, at least {FEWEST} are needed"
            )
            continue
        yield from _errors(own, mistake)


def suspects(mistake: str, solved: SolvedProblem) -> Iterator[Suspect]:
    """Parameters with which a solution makes a mistake, and those with which it could have.

    Args:
        mistake: ``unnecessary`` or ``too_early``.
        solved: A problem with the solution; one without the mistake has no suspects.
    """
    if mistake == UNNECESSARY:
        own = set(solved.defined)
        queries = [Query(0, a) for a in solved.problem.values if a not in solved.problem.necessary]
        first = None
    else:
        first = _first_too_early(solved)
        queries = [] if first is None else list(_not_next(solved, first))
        own = set() if first is None else {first.parameter}
    if any(query.parameter in own for query in queries):
        yield from (Suspect(query, query.parameter in own) for query in queries)


def _judged(
    probe: AdaptedProbe,
    task: ProbeTask,
    solutions: Sequence[SolvedProblem],
    found: Sequence[Sequence[Suspect]],
    batch_size: int,
) -> pl.DataFrame:
    """Errors of the probe on suspects.

    Args:
        probe: The probe.
        task: What it predicts.
        solutions: Problems with solutions.
        found: The suspects of each.
        batch_size: Inputs of the probe at once.
    """
    if not any(found):
        return pl.DataFrame(schema=_SCHEMA)
    queries = queries_of(task, solutions, [[own.query for own in row] for row in found])
    predicted = predictions(probe, queries.inputs, batch_size)[:, 0]
    return pl.DataFrame(
        {
            "problem": queries.problems,
            "n_sentences": [query.n_sentences for query in queries.queries],
            "parameter": [query.parameter.name for query in queries.queries],
            "is_written": [own.is_written for own in chain.from_iterable(found)],
            "probe_is_wrong": predicted != queries.inputs.classes,
        }
    )


def _first_too_early(solved: SolvedProblem) -> Query | None:
    """The first step whose parameter cannot be computed where it is."""
    queries = (Query(n, parameter) for n, parameter in solved.steps())
    return next((query for query in queries if not label(ProbeTask.can_next, solved, query)), None)


def _not_next(solved: SolvedProblem, first: Query) -> Iterator[Query]:
    """The parameter itself, and all unknown ones that cannot be computed there, either."""
    for parameter in solved.problem.values:
        query = Query(first.n_sentences, parameter)
        is_unknown = parameter not in solved.known(first.n_sentences)
        if query == first or (is_unknown and not label(ProbeTask.can_next, solved, query)):
            yield query


def _errors(own: pl.DataFrame, mistake: str) -> Iterator[Metric]:
    """Errors of the probe on written and on other parameters, means over solutions."""
    of_solution = own.group_by("set", "problem", maintain_order=True).agg(
        written=pl.col("probe_is_wrong").filter("is_written").mean(),
        other=pl.col("probe_is_wrong").filter(~pl.col("is_written")).mean(),
    )
    for name in ("written", "other"):
        values = of_solution[name].drop_nulls().to_numpy()
        if len(values):
            yield mean(
                "igsm_probe/probe_error", values, "fraction", mistake=mistake, parameters=name
            )
    both = of_solution.drop_nulls()
    if len(both):
        difference = (both["written"] - both["other"]).to_numpy()
        yield mean("igsm_probe/probe_error_difference", difference, "fraction", mistake=mistake)
