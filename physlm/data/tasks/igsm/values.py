"""Constants, operators and values of parameters, in compiled code."""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw
from physlm.data.tasks.igsm.graph import (
    CONSTANT,
    HAS_CONSTANT,
    IS_DIFFERENCE,
    IS_PRODUCT,
    N_PARENTS,
    ORDER,
    OWNED,
    PARENT,
    VALUE,
)
from physlm.data.tasks.igsm.language import MODULUS


@compiled_within
def draw_rules(stream, n_edges, graph):  # type: ignore[no-untyped-def]
    """Draw how each instance parameter follows from its parents."""
    for x in range(n_edges):
        n = graph[N_PARENTS, x]
        for p in range(n - 1, 0, -1):
            other = PARENT + draw(stream, p + 1)
            parent = graph[PARENT + p, x]
            graph[PARENT + p, x] = graph[other, x]
            graph[other, x] = parent
        graph[IS_DIFFERENCE, x] = n == 2 and draw(stream, 2) == 0
        graph[IS_PRODUCT, x] = graph[HAS_CONSTANT, x] and n > 0 and draw(stream, 2) == 0
        if graph[IS_PRODUCT, x]:
            graph[CONSTANT, x] = 1 + draw(stream, MODULUS - 1)
        elif graph[HAS_CONSTANT, x]:
            graph[CONSTANT, x] = draw(stream, MODULUS)


@compiled_within
def compute_values(n_edges, n_chosen, graph):  # type: ignore[no-untyped-def]
    """Compute the parameters of the order."""
    for i in range(n_chosen):
        x = graph[ORDER, i]
        if x < n_edges:
            graph[VALUE, x] = _instance_value(x, graph)
        else:
            graph[VALUE, x] = _abstract_value(x, graph)


@compiled_within
def _instance_value(x, graph):  # type: ignore[no-untyped-def]
    """The value by its rule."""
    total = 0
    for p in range(graph[N_PARENTS, x]):
        sign = -1 if graph[IS_DIFFERENCE, x] and p == 1 else 1
        total += sign * graph[VALUE, graph[PARENT + p, x]]
    if graph[IS_PRODUCT, x]:
        total *= graph[CONSTANT, x]
    elif graph[HAS_CONSTANT, x]:
        total += graph[CONSTANT, x]
    return total % MODULUS


@compiled_within
def _abstract_value(x, graph):  # type: ignore[no-untyped-def]
    """A sum of instance parameters, or of their products with abstract ones."""
    total, step = 0, 1 if graph[OWNED, x] == 1 else 2
    for p in range(0, graph[N_PARENTS, x], step):
        value = graph[VALUE, graph[PARENT + p, x]]
        if step == 2:
            value *= graph[VALUE, graph[PARENT + p + 1, x]]
        total += value
    return total % MODULUS
