"""Structure graphs: which item holds which, in compiled code."""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw, draw_unit, take
from physlm.data.tasks.igsm.graph import (
    ABSTRACT,
    EDGE,
    HAS_CONSTANT,
    MOST_ITEMS,
    MOST_LAYERS,
    N_PARENTS,
    OWNED,
    OWNER,
    POOL,
    WIDTH,
    add_parent,
)


@compiled_within
def draw_structure(stream, sizes, graph, scratch):  # type: ignore[no-untyped-def]
    """Draw layers and edges, and number all parameters; returns the number of parameters."""
    _draw_widths(stream, sizes, graph[WIDTH], scratch[POOL])
    _draw_edges(stream, sizes, graph, scratch[POOL])
    _number_edges(sizes, graph)
    return _number_abstract(sizes, graph)


@compiled_within
def _draw_widths(stream, sizes, widths, narrow):  # type: ignore[no-untyped-def]
    """Widen layers until they can hold all edges, and perhaps further."""
    for i in range(sizes.depth):
        widths[i] = sizes.narrowest
    while True:
        most, fewest = 0, 0
        for i in range(1, sizes.depth):
            most += widths[i - 1] * widths[i]
            fewest += widths[i]
        if most >= sizes.n_edges and fewest == sizes.n_edges:
            return
        n_narrow = 0
        for i in range(sizes.depth):
            if widths[i] < sizes.widest:
                narrow[n_narrow] = i
                n_narrow += 1
        # Layers that are too narrow for the edges can always be widened: there are at most as many
        # edges as between the widest layers.
        if most >= sizes.n_edges and (draw_unit(stream) >= sizes.p_wide or n_narrow == 0):
            return
        widths[narrow[draw(stream, n_narrow)]] += 1


@compiled_within
def _draw_edges(stream, sizes, graph, pairs):  # type: ignore[no-untyped-def]
    """Mark edges by 0 in ``EDGE``: one to each item below the top, then any others."""
    edge, widths = graph[EDGE], graph[WIDTH]
    for pair in range(MOST_LAYERS * MOST_ITEMS**2):
        edge[pair] = -1
    n_left = sizes.n_edges
    for i in range(1, sizes.depth):
        for k in range(widths[i]):
            j = MOST_ITEMS * (i - 1) + draw(stream, widths[i - 1])
            edge[MOST_ITEMS * j + k] = 0
            n_left -= 1
    n_pairs = 0
    for i in range(sizes.depth - 1):
        for j in range(MOST_ITEMS * i, MOST_ITEMS * i + widths[i]):
            for k in range(widths[i + 1]):
                if edge[MOST_ITEMS * j + k] < 0:
                    pairs[n_pairs] = MOST_ITEMS * j + k
                    n_pairs += 1
    for n in range(n_left):
        edge[take(stream, pairs, n_pairs - n)] = 0


@compiled_within
def _number_edges(sizes, graph):  # type: ignore[no-untyped-def]
    """Number the instance parameters, which have no parents yet."""
    x = 0
    for j in range(MOST_ITEMS * (sizes.depth - 1)):
        for k in range(MOST_ITEMS):
            if graph[EDGE, MOST_ITEMS * j + k] == 0:
                graph[EDGE, MOST_ITEMS * j + k] = x
                graph[OWNER, x] = j
                graph[OWNED, x] = (j // MOST_ITEMS + 1) * MOST_ITEMS + k
                graph[N_PARENTS, x] = 0
                graph[HAS_CONSTANT, x] = 0
                x += 1


@compiled_within
def _number_abstract(sizes, graph):  # type: ignore[no-untyped-def]
    """Number the abstract parameters with their parents; returns the number of all parameters."""
    x = sizes.n_edges
    # From the last layer up: those of an item's children come before its own.
    for i in range(sizes.depth - 2, -1, -1):
        for j in range(MOST_ITEMS * i, MOST_ITEMS * i + graph[WIDTH, i]):
            for level in range(1, sizes.depth - i):
                graph[ABSTRACT, MOST_ITEMS * j + level] = x
                graph[OWNER, x] = j
                graph[OWNED, x] = level
                graph[N_PARENTS, x] = 0
                graph[HAS_CONSTANT, x] = 0
                for k in range(graph[WIDTH, i + 1]):
                    if graph[EDGE, MOST_ITEMS * j + k] >= 0:
                        add_parent(graph, x, graph[EDGE, MOST_ITEMS * j + k])
                        if level > 1:
                            below = graph[
                                ABSTRACT, MOST_ITEMS * (MOST_ITEMS * (i + 1) + k) + level - 1
                            ]
                            add_parent(graph, x, below)
                x += 1
    return x
