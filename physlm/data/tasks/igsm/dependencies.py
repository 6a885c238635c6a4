"""Further parents of instance parameters, in compiled code."""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw, draw_order, take
from physlm.data.tasks.igsm.graph import (
    COUNT,
    HAS_CONSTANT,
    IS_CHOSEN,
    IS_DONE,
    IS_MARKED,
    MOST_PARENTS,
    N_PARENTS,
    ORDER,
    OTHER,
    PARENT,
    POOL,
    add_parent,
)


@compiled_within
def count_more_operations(stream, sizes, n_min, n_chosen, graph, scratch):  # type: ignore[no-untyped-def]
    """Draw the number of further operations of each instance parameter of the order.

    Args:
        stream: Random stream of the draws.
        sizes: Sizes of the problem.
        n_min: Operations so far.
        n_chosen: Parameters in the order.
        graph: The order.
        scratch: Receives the ``COUNT`` of further operations of each place of the order.

    Returns:
        The operations of the solution.
    """
    spare, n_places = scratch[OTHER], 0
    for i in range(n_chosen):
        scratch[COUNT, i] = 0
        spare[i] = min(i + 1, MOST_PARENTS) - 2 if graph[ORDER, i] < sizes.n_edges else 0
        if spare[i] > 0:
            scratch[POOL, n_places] = i
            n_places += 1
    n_operations = n_min
    while n_operations < sizes.n_operations and n_places > 0:
        at = draw(stream, n_places)
        i = scratch[POOL, at]
        scratch[COUNT, i] += 1
        n_operations += 1
        if scratch[COUNT, i] == spare[i]:
            n_places -= 1
            scratch[POOL, at] = scratch[POOL, n_places]
    return n_operations


@compiled_within
def add_parents(stream, sizes, n_chosen, graph, scratch):  # type: ignore[no-untyped-def]
    """Draw the parents of the instance parameters of the order, as many as were counted."""
    for i in range(n_chosen):
        x = graph[ORDER, i]
        if x >= sizes.n_edges:
            continue
        n = scratch[COUNT, i] + 2 if scratch[COUNT, i] > 0 else 1 + draw(stream, 2)
        n = min(n, i + 1, MOST_PARENTS)
        # The pool holds what comes before, and -1 for the random constant. A parent that the
        # parameter has already stays, and is counted.
        n_pool, n_left = 1, n - graph[N_PARENTS, x]
        scratch[POOL, 0] = -1
        for earlier in range(i):
            y = graph[ORDER, earlier]
            if graph[N_PARENTS, x] == 0 or graph[PARENT + 0, x] != y:
                scratch[POOL, n_pool] = y
                n_pool += 1
        if n < i + 1 and n_left > 0 and draw(stream, 2) == 0:
            graph[HAS_CONSTANT, x] = 1
            n_left -= 1
            n_pool -= 1
            scratch[POOL, 0] = scratch[POOL, n_pool]
        _connect(stream, x, n_left, n_pool, graph, scratch)


@compiled_within
def _connect(stream, x, n, n_pool, graph, scratch):  # type: ignore[no-untyped-def]
    """Draw ``n`` parents from the pool."""
    for k in range(n):
        y = take(stream, scratch[POOL], n_pool - k)
        if y < 0:
            graph[HAS_CONSTANT, x] = 1
        else:
            add_parent(graph, x, y)


@compiled_within
def add_unused(stream, sizes, n_parameters, graph, scratch):  # type: ignore[no-untyped-def]
    """Draw the parents of the instance parameters that the solution does not need.

    Args:
        stream: Random stream of the draws.
        sizes: Sizes of the problem.
        n_parameters: Number of all parameters.
        graph: Receives the parents.
        scratch: ``IS_DONE`` of what can be a parent, ``IS_MARKED`` of what is independent of the
            solution.
    """
    unused, n_unused = scratch[OTHER], 0
    for x in range(n_parameters):
        scratch[IS_MARKED, x] = 0
        scratch[IS_DONE, x] = graph[IS_CHOSEN, x]
        if x < sizes.n_edges and not graph[IS_CHOSEN, x]:
            unused[n_unused] = x
            n_unused += 1
    draw_order(stream, unused, n_unused)
    for i in range(n_unused):
        x = unused[i]
        is_independent = draw(stream, 2) == 0
        _mark_known(sizes, n_parameters, graph, scratch)
        n_pool = 0
        for y in range(n_parameters):
            if scratch[IS_MARKED if is_independent else IS_DONE, y]:
                scratch[POOL, n_pool] = y
                n_pool += 1
        _draw_parents(stream, x, n_pool, graph, scratch)
        scratch[IS_DONE, x] = 1
        scratch[IS_MARKED, x] = is_independent


@compiled_within
def _mark_known(sizes, n_parameters, graph, scratch):  # type: ignore[no-untyped-def]
    """Mark the abstract parameters whose parents are all known.

    Those of an item's children are numbered before its own, so one pass is enough.
    """
    for x in range(sizes.n_edges, n_parameters):
        is_known = True
        for p in range(graph[N_PARENTS, x]):
            is_known = is_known and scratch[IS_DONE, graph[PARENT + p, x]] > 0
        if is_known:
            scratch[IS_DONE, x] = 1


@compiled_within
def _draw_parents(stream, x, n_pool, graph, scratch):  # type: ignore[no-untyped-def]
    """Draw the number of parents, then the parents from the pool and the random constant."""
    n, most = 1, min(n_pool + 1, MOST_PARENTS)
    while n < most and draw(stream, 2) == 0:
        n += 1
    if n == n_pool + 1 or draw(stream, 2) == 0:
        graph[HAS_CONSTANT, x] = 1
        n -= 1
    _connect(stream, x, n, n_pool, graph, scratch)
