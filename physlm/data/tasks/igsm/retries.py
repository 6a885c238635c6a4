"""Retry data: wrong parameters that a solution takes back at once, in compiled code."""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw_unit, take
from physlm.data.tasks.igsm.graph import IS_DONE, N_PARENTS, ORDER, PARENT, POOL
from physlm.data.tasks.igsm.language import AS, BACK, DEFINE, STOP
from physlm.data.tasks.igsm.names import write_parameter

# Which parameters are taken for wrong ones.
NOT_COMPUTABLE, LATER_IN_SOLUTION, NOT_IN_SOLUTION = range(3)


@compiled_within
def write_retries(stream, tokens, at, counts, i, retry, graph, scratch):  # type: ignore[no-untyped-def]
    """Write wrong parameters before a sentence; returns the place after them.

    Args:
        stream: Random stream of the draws.
        tokens: Receives them; a token that names a wrong parameter is ``-2 - token`` if masked.
        at: Where to write.
        counts: Size of the problem.
        i: Number of the sentence.
        retry: Probability, kind, and whether names are masked.
        graph: The order and the parents.
        scratch: Room; ``IS_DONE`` is what is computed so far.
    """
    rate, kind, is_masked = retry
    n = 0
    if kind == LATER_IN_SOLUTION:
        for later in range(i + 1, counts.n_chosen):
            scratch[POOL, n] = graph[ORDER, later]
            n += 1
    else:
        n = _pool(counts.n_parameters, kind == NOT_COMPUTABLE, graph, scratch)
    while n > 0 and draw_unit(stream) < rate:
        x = take(stream, scratch[POOL], n)
        n -= 1
        tokens[at] = DEFINE
        end = write_parameter(tokens, at + 1, counts.n_edges, graph, x)
        if is_masked:
            for t in range(at + 1, end):
                tokens[t] = -2 - tokens[t]
        tokens[end] = AS
        tokens[end + 1] = BACK
        tokens[end + 2] = STOP
        at = end + 3
    return at


@compiled_within
def _pool(n_parameters, is_not_computable, graph, scratch):  # type: ignore[no-untyped-def]
    """Pool what is not computed yet, or only what cannot be computed next."""
    n = 0
    for x in range(n_parameters):
        is_next = is_not_computable
        for p in range(graph[N_PARENTS, x]):
            is_next = is_next and scratch[IS_DONE, graph[PARENT + p, x]] > 0
        if scratch[IS_DONE, x] == 0 and not is_next:
            scratch[POOL, n] = x
            n += 1
    return n
