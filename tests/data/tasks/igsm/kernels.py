"""Parts of the generator, compiled alone to test their laws."""

import numpy as np

from physlm.data.compilation import compiled
from physlm.data.splitmix import stream_of
from physlm.data.tasks.igsm.dependencies import count_more_operations
from physlm.data.tasks.igsm.graph import new_graph, new_scratch
from physlm.data.tasks.igsm.necessary import choose_necessary
from physlm.data.tasks.igsm.ordering import draw_necessary_order
from physlm.data.tasks.igsm.sizes import draw_sizes, draw_target
from physlm.data.tasks.igsm.structure import draw_structure


@compiled
def targets(key, n, op_max):
    """Numbers of operations."""
    found, stream = np.zeros(n, np.int64), np.zeros(1, np.uint64)
    for i in range(n):
        stream[0] = stream_of(key, i)
        found[i] = draw_target(stream, op_max)
    return found


@compiled
def sizes(key, n, s, ip_max):
    """n, m, d, w0, w1 and e of each draw."""
    found, stream = np.zeros((n, 6), np.int64), np.zeros(1, np.uint64)
    for i in range(n):
        stream[0] = stream_of(key, i)
        drawn = draw_sizes(stream, s, ip_max)
        found[i, 0], found[i, 1], found[i, 2] = drawn.n_first, drawn.n_chosen, drawn.depth
        found[i, 3], found[i, 4], found[i, 5] = drawn.narrowest, drawn.widest, drawn.n_edges
    return found


@compiled
def attempts(key, n, s, ip_max):
    """Structures, failed orders, and operations of each draw of sizes."""
    found, stream = np.zeros((n, 3), np.int64), np.zeros(1, np.uint64)
    graph, scratch = new_graph(), new_scratch()
    for i in range(n):
        stream[0] = stream_of(key, i)
        drawn = draw_sizes(stream, s, ip_max)
        for _ in range(1000):
            n_parameters = draw_structure(stream, drawn, graph, scratch)
            n_min = choose_necessary(stream, drawn, n_parameters, graph, scratch)
            n_chosen = draw_necessary_order(stream, drawn, n_parameters, False, graph, scratch)
            found[i, 0] += 1
            if n_chosen > 0:
                found[i, 2] = count_more_operations(stream, drawn, n_min, n_chosen, graph, scratch)
                break
            found[i, 1] += 1
    return found
