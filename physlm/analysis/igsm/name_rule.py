"""What names alone tell of parameters, without a sentence of the problem: a control of probes.

Parameters of one item, or of an item and what it contains, depend on each other more often than
others. A rule knows how the names of two parameters are related, and the most common class of each
relation among training queries.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from physlm.analysis.igsm.queries import Queries, Query
from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.data.tasks.igsm.parameter import Parameter

Relation = tuple[int | bool, ...]


class NameRule:
    """Predicts the class of a query from its names, and from that of the question.

    Args:
        queries: Training queries of ``nece`` or ``dep``.
        problems: Their problems.
    """

    def __init__(self, queries: Queries, problems: Sequence[SolvedProblem]) -> None:
        counts: defaultdict[Relation, Counter[int]] = defaultdict(Counter)
        relations = _relations(queries, problems)
        for relation, own in zip(relations, queries.inputs.classes.tolist(), strict=True):
            counts[relation][own] += 1
        self.classes = {relation: own.most_common(1)[0][0] for relation, own in counts.items()}

    def predictions(
        self, queries: Queries, problems: Sequence[SolvedProblem]
    ) -> Int64[np.ndarray, " queries"]:
        """The predicted class of each query; false for relations that training lacks.

        Args:
            queries: Queries of the same task.
            problems: Their problems.
        """
        return np.array([self.classes.get(own, 0) for own in _relations(queries, problems)])


def _relations(queries: Queries, problems: Sequence[SolvedProblem]) -> list[Relation]:
    asked = zip(queries.problems.tolist(), queries.queries, strict=True)
    return [_relation(query, problems[i].problem.query) for i, query in asked]


def _relation(query: Query, question: Parameter) -> Relation:
    """How the names of the two parameters of a query are related, or of one and the question."""
    needing, needed = (
        (question, query.parameter) if query.other is None else (query.parameter, query.other)
    )
    return (
        needing.level,
        needed.level,
        needing.owner == needed.owner,
        needing.owned == needed.owned,
        needing.owned == needed.owner,
        needing.owner == needed.owned,
    )
