"""The sentences and the question of a problem, in compiled code.

Every function writes at a place and returns the place after what it wrote.
"""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw_order
from physlm.data.tasks.igsm.graph import (
    CONSTANT,
    HAS_CONSTANT,
    IS_DIFFERENCE,
    IS_PRODUCT,
    N_PARENTS,
    OWNER,
    PARENT,
)
from physlm.data.tasks.igsm.language import (
    AND,
    DIFFERENCE,
    EACH,
    EQUALS,
    HAS,
    HOW,
    MANY,
    MORE,
    NUMBER,
    OF,
    QUESTION_MARK,
    STOP,
    SUM,
    THAN,
    THE,
    THE_WITHIN,
    TIMES,
)
from physlm.data.tasks.igsm.names import write_item, write_owned, write_parameter


@compiled_within
def write_problem(stream, tokens, at, n_edges, graph, order):  # type: ignore[no-untyped-def]
    """Write one sentence for each instance parameter, in random order."""
    for x in range(n_edges):
        order[x] = x
    draw_order(stream, order, n_edges)
    for i in range(n_edges):
        tokens[at] = THE
        tokens[at + 1] = NUMBER
        tokens[at + 2] = OF
        tokens[at + 3] = EACH
        at = write_parameter(tokens, at + 4, n_edges, graph, order[i])
        tokens[at] = EQUALS
        at = _write_rule(tokens, at + 1, n_edges, graph, order[i])
        tokens[at] = STOP
        at += 1
    return at


@compiled_within
def write_question(tokens, at, n_edges, graph, x):  # type: ignore[no-untyped-def]
    """Write the question for a parameter."""
    tokens[at] = HOW
    tokens[at + 1] = MANY
    at = write_owned(tokens, at + 2, n_edges, graph, x)
    tokens[at] = HAS
    at = write_item(tokens, at + 1, graph, graph[OWNER, x])
    tokens[at] = QUESTION_MARK
    return at + 1


@compiled_within
def _write_rule(tokens, at, n_edges, graph, x):  # type: ignore[no-untyped-def]
    """Write how a parameter follows from its parents."""
    n = graph[N_PARENTS, x]
    if graph[HAS_CONSTANT, x]:
        tokens[at] = graph[CONSTANT, x]
        at += 1
        if n > 0 and graph[IS_PRODUCT, x]:
            tokens[at] = TIMES
            at += 1
        elif n > 0:
            tokens[at] = MORE
            tokens[at + 1] = THAN
            at += 2
    if n > 1:
        tokens[at] = THE_WITHIN
        tokens[at + 1] = DIFFERENCE if graph[IS_DIFFERENCE, x] else SUM
        tokens[at + 2] = OF
        at += 3
    for p in range(n):
        if p > 0:
            tokens[at] = AND
            at += 1
        tokens[at] = EACH
        at = write_parameter(tokens, at + 1, n_edges, graph, graph[PARENT + p, x])
    return at
