"""The order in which a solution computes its parameters, in compiled code."""

import numpy as np

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw, draw_absolute_normal, draw_unit
from physlm.data.tasks.igsm.graph import (
    COUNT,
    IS_CHOSEN,
    IS_DONE,
    IS_MARKED,
    N_PARENTS,
    ORDER,
    PARENT,
    POOL,
    add_parent,
)


@compiled_within
def draw_necessary_order(stream, sizes, n_parameters, prefers_wanted, graph, scratch):  # type: ignore[no-untyped-def]
    """Order the chosen parameters from the question back, so that each is needed for it.

    Instance parameters receive parents on the way.

    Args:
        stream: Random stream of the draws.
        sizes: Sizes of the problem.
        n_parameters: Number of all parameters.
        prefers_wanted: Whether parents that something needs already are likelier; else less likely.
        graph: Receives the order.
        scratch: ``IS_MARKED`` of what something placed depends on, ``IS_DONE`` of what is placed,
            ``COUNT`` of unplaced parameters that depend on each.

    Returns:
        Their number, or 0 if the order failed.
    """
    n_chosen = _start(n_parameters, graph, scratch)
    p_parent, bias = draw_unit(stream), draw_absolute_normal(stream)
    for at in range(n_chosen - 1, -1, -1):
        n_free = _free(n_parameters, at < n_chosen - 1, graph, scratch)
        if n_free == 0:
            return 0
        x = scratch[POOL, draw(stream, n_free)]
        graph[ORDER, at] = x
        scratch[IS_DONE, x] = 1
        if x >= sizes.n_edges:
            for p in range(graph[N_PARENTS, x]):
                scratch[IS_MARKED, graph[PARENT + p, x]] = 1
                scratch[COUNT, graph[PARENT + p, x]] -= 1
        elif at > 0:
            is_asked = draw_unit(stream) < p_parent
            is_forced = _free(n_parameters, True, graph, scratch) == 0
            if is_asked or is_forced:
                n = _pool(n_parameters, is_forced, graph, scratch)
                y = _draw_weighted(stream, sizes, n, bias, prefers_wanted, scratch)
                add_parent(graph, x, y)
                scratch[IS_MARKED, y] = 1
    return n_chosen


@compiled_within
def _start(n_parameters, graph, scratch):  # type: ignore[no-untyped-def]
    """Clear all marks and count what depends on each parameter; returns the number of chosen."""
    n_chosen = 0
    for x in range(n_parameters):
        scratch[IS_MARKED, x] = 0
        scratch[IS_DONE, x] = 0
        scratch[COUNT, x] = 0
    for x in range(n_parameters):
        if graph[IS_CHOSEN, x]:
            n_chosen += 1
            for p in range(graph[N_PARENTS, x]):
                scratch[COUNT, graph[PARENT + p, x]] += 1
    return n_chosen


@compiled_within
def _free(n_parameters, is_wanted, graph, scratch):  # type: ignore[no-untyped-def]
    """Pool the unplaced parameters on which nothing unplaced depends; or only the wanted ones."""
    n = 0
    for x in range(n_parameters):
        is_free = graph[IS_CHOSEN, x] and not scratch[IS_DONE, x] and scratch[COUNT, x] == 0
        if is_free and (scratch[IS_MARKED, x] or not is_wanted):
            scratch[POOL, n] = x
            n += 1
    return n


@compiled_within
def _pool(n_parameters, is_forced, graph, scratch):  # type: ignore[no-untyped-def]
    """Pool the unplaced parameters; if forced, those that can be placed next."""
    if is_forced:
        return _free(n_parameters, False, graph, scratch)
    n = 0
    for x in range(n_parameters):
        if graph[IS_CHOSEN, x] and not scratch[IS_DONE, x]:
            scratch[POOL, n] = x
            n += 1
    return n


@compiled_within
def _draw_weighted(stream, sizes, n, bias, prefers_wanted, scratch):  # type: ignore[no-untyped-def]
    """One of the pool; abstract parameters are likelier, and so are wanted or unwanted ones."""
    total = 0.0
    for i in range(n):
        total += _weight(sizes, scratch[POOL, i], bias, prefers_wanted, scratch)
    left = draw_unit(stream) * total
    for i in range(n):
        left -= _weight(sizes, scratch[POOL, i], bias, prefers_wanted, scratch)
        if left < 0:
            return scratch[POOL, i]
    return scratch[POOL, n - 1]  # rounding


@compiled_within
def _weight(sizes, x, bias, prefers_wanted, scratch):  # type: ignore[no-untyped-def]
    """The weight of a parameter as a parent."""
    exponent = 0.0
    if x >= sizes.n_edges:
        exponent += bias
    if (scratch[IS_MARKED, x] > 0) == prefers_wanted:
        exponent += bias
    return np.exp(exponent)
