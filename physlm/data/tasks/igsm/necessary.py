"""The parameters that a solution needs, in compiled code."""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw, take
from physlm.data.tasks.igsm.graph import (
    ABSTRACT,
    IS_CHOSEN,
    IS_MARKED,
    MOST_ITEMS,
    N_PARENTS,
    OTHER,
    OWNED,
    PARENT,
    POOL,
    WIDTH,
    n_operations,
)


@compiled_within
def choose_necessary(stream, sizes, n_parameters, graph, scratch):  # type: ignore[no-untyped-def]
    """Choose abstract parameters and all that they need, then instance parameters.

    Returns:
        The operations of all of them.
    """
    for x in range(n_parameters):
        graph[IS_CHOSEN, x] = 0
    budget = min(sizes.n_first, _most_operations(sizes, graph))
    n_more = sizes.n_chosen - budget
    n_used = 0
    while budget > 0:
        cost = _choose_abstract(stream, sizes, n_parameters, budget, graph, scratch)
        if cost == 0:
            n_more += budget
            break
        budget -= cost
        n_used += cost
    n_free = 0
    for x in range(sizes.n_edges):
        if not graph[IS_CHOSEN, x]:
            scratch[POOL, n_free] = x
            n_free += 1
    n_more = min(n_more, n_free)
    for n in range(n_more):
        graph[IS_CHOSEN, take(stream, scratch[POOL], n_free - n)] = 1
    return n_used + n_more


@compiled_within
def _most_operations(sizes, graph):  # type: ignore[no-untyped-def]
    """The operations of all parameters, without those of items that hold nothing."""
    most = sizes.n_edges
    for i in range(sizes.depth - 1):
        for j in range(MOST_ITEMS * i, MOST_ITEMS * i + graph[WIDTH, i]):
            c = graph[N_PARENTS, graph[ABSTRACT, MOST_ITEMS * j + 1]]
            most += c - 1 if c > 1 else c
            most += max(2 * c - 1, 0) * (sizes.depth - 2 - i)
    return most


@compiled_within
def _choose_abstract(stream, sizes, n_parameters, budget, graph, scratch):  # type: ignore[no-untyped-def]
    """Choose an abstract parameter of as high a level as the budget allows.

    Returns:
        The operations of it and of all that is chosen with it, 0 if there is none.
    """
    best, best_cost = -1, 0
    for level in range(1, sizes.depth):
        n_free = 0
        for x in range(sizes.n_edges, n_parameters):
            if graph[OWNED, x] == level and not graph[IS_CHOSEN, x]:
                scratch[POOL, n_free] = x
                n_free += 1
        if n_free == 0:
            continue
        x = scratch[POOL, draw(stream, n_free)]
        cost = _needed(x, n_parameters, graph, scratch)
        if cost > budget:
            break
        best, best_cost = x, cost
    if best >= 0:
        _needed(best, n_parameters, graph, scratch)
        for x in range(n_parameters):
            graph[IS_CHOSEN, x] |= scratch[IS_MARKED, x]
    return best_cost


@compiled_within
def _needed(x, n_parameters, graph, scratch):  # type: ignore[no-untyped-def]
    """Mark a parameter and the unchosen ones that it needs; returns their operations."""
    waiting, is_marked = scratch[OTHER], scratch[IS_MARKED]
    for y in range(n_parameters):
        is_marked[y] = 0
    waiting[0], n_waiting, cost = x, 1, 0
    is_marked[x] = 1
    while n_waiting > 0:
        n_waiting -= 1
        y = waiting[n_waiting]
        cost += n_operations(graph, y)
        for p in range(graph[N_PARENTS, y]):
            z = graph[PARENT + p, y]
            if not (graph[IS_CHOSEN, z] or is_marked[z]):
                is_marked[z] = 1
                waiting[n_waiting] = z
                n_waiting += 1
    return cost
