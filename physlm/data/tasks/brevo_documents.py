"""Documents of Brevo in compiled code: graphs, names, and topological orders."""

import numpy as np

from physlm.data.compilation import compiled, compiled_within
from physlm.data.growing import grown
from physlm.data.splitmix import below, next_bits, stream_of
from physlm.data.tasks.names import SMALLEST, draw_names, drawn_size, shuffle, write_name

MOST_PARENTS = 4  # and the most children of a vertex
_N_TRIES = 1000


@compiled
def brevo_documents(key, first, n_documents, sizes, law, options, marks, limits):  # type: ignore[no-untyped-def]
    """Tokens of all documents, and where each starts.

    Args:
        key: Key of the random streams.
        first: Number of the first document.
        n_documents: Number of documents.
        sizes: Cumulative law of the number of vertices.
        law: See `draw_names`.
        options: Whether the bound of sources is rounded up, and whether any vertex of the last
            quarter is queried.
        marks: Ids of ``bos``, ``<query>``, ``<ans>`` and the end.
        limits: Tokens of the longest possible document, and of the longest allowed one; longer
            documents are drawn again.
    """
    is_rounded_up, is_quarter = options
    room, most = limits
    n_max = SMALLEST + len(sizes) - 1
    starts = np.zeros(n_documents + 1, dtype=np.int64)
    tokens = np.empty(room, dtype=np.int32)
    names = np.empty((n_max, law[1]), dtype=np.int64)
    lengths, name_of = np.empty(n_max, dtype=np.int64), np.empty(n_max, dtype=np.int64)
    parents = np.empty((n_max, MOST_PARENTS), dtype=np.int64)
    n_parents, n_children = np.empty(n_max, dtype=np.int64), np.empty(n_max, dtype=np.int64)
    order, work = np.empty(n_max, dtype=np.int64), np.empty(n_max, dtype=np.int64)
    edges = np.empty(n_max * MOST_PARENTS, dtype=np.int64)
    for i in range(n_documents):
        tokens = grown(tokens, starts[i], room)
        state = stream_of(key, first + i)
        n_tokens, n_tries = most + 1, 0
        while n_tokens > most:
            if n_tries == _N_TRIES:
                raise ValueError("too few documents fit into seq_len; raise it, or lower n_max")
            n_tries += 1
            state, n = drawn_size(state, sizes)
            state = _draw_graph(state, n, is_rounded_up, parents, n_parents, n_children, work)
            # Only vertices that occur in an edge have names.
            n_named = 0
            for v in range(n):
                if n_parents[v] + n_children[v] > 0:
                    order[n_named] = v
                    n_named += 1
            state = draw_names(state, n_named, law, names, lengths, work)
            # Short names tend to be drawn first, so they are assigned in a random order.
            state = shuffle(state, order, n_named)
            for j in range(n_named):
                name_of[order[j]] = j
            query = n - 1
            if is_quarter:
                state, bits = next_bits(state)
                query -= below(bits, (n + 3) // 4)
            state, n_order = _draw_order(state, query, parents, n_parents, n_children, order, work)
            state, n_edges = _draw_edges(state, n, n_parents, edges)
            n_tokens = _write_document(
                tokens,
                starts[i],
                marks,
                (names, lengths, name_of),
                (parents, edges, n_edges),
                (order, n_order),
            )
        starts[i + 1] = starts[i] + n_tokens
    return tokens[: starts[-1]], starts


@compiled_within
def _write_document(tokens, begin, marks, naming, graph, answer):  # type: ignore[no-untyped-def]
    """Write a document; returns the number of its tokens.

    Args:
        tokens: Receives it.
        begin: Where it begins.
        marks: Ids of ``bos``, ``<query>``, ``<ans>`` and the end.
        naming: Names, their lengths, and the name of each vertex.
        graph: Parents, and the order of the edges.
        answer: The answer in reverse order, and its length.
    """
    names, lengths, name_of = naming
    parents, edges, n_edges = graph
    order, n_order = answer
    tokens[begin] = marks[0]
    at = begin + 1
    for e in range(n_edges):
        child = edges[e] // MOST_PARENTS
        parent = parents[child, edges[e] % MOST_PARENTS]
        at = write_name(tokens, at, names, lengths, name_of[parent])
        at = write_name(tokens, at, names, lengths, name_of[child])
    tokens[at] = marks[1]
    at = write_name(tokens, at + 1, names, lengths, name_of[order[0]])
    tokens[at] = marks[2]
    at += 1
    for j in range(n_order - 1, -1, -1):
        at = write_name(tokens, at, names, lengths, name_of[order[j]])
    tokens[at] = marks[3]
    return at + 1 - begin


@compiled_within
def _draw_edges(state, n, n_parents, edges):  # type: ignore[no-untyped-def]
    """Draw the order of all edges; returns the new state and their number.

    Args:
        state: State of the random stream.
        n: Number of vertices.
        n_parents: Number of parents of each.
        edges: Receives child times `MOST_PARENTS` plus the number of the parent.
    """
    n_edges = 0
    for v in range(n):
        for p in range(n_parents[v]):
            edges[n_edges] = v * MOST_PARENTS + p
            n_edges += 1
    return shuffle(state, edges, n_edges), n_edges


@compiled_within
def _draw_graph(state, n, is_rounded_up, parents, n_parents, n_children, free):  # type: ignore[no-untyped-def]
    """Draw the parents of each of ``n`` vertices; returns the new state.

    Args:
        state: State of the random stream.
        n: Number of vertices, each of which has parents among those before it.
        is_rounded_up: Whether the bound of sources is rounded up.
        parents: Receives the parents of each vertex.
        n_parents: Receives their number.
        n_children: Receives the number of children of each vertex.
        free: Room for the vertices that may get another child.
    """
    bound = (n - 1) // MOST_PARENTS
    if is_rounded_up:
        bound = (n - 1 + MOST_PARENTS - 1) // MOST_PARENTS
    state, bits = next_bits(state)
    n_sources = 1 + below(bits, bound + 1)
    n_free = 0
    for v in range(n):
        n_parents[v], n_children[v] = 0, 0
        if v >= n_sources:
            state, bits = next_bits(state)
            n_parents[v] = 1 + below(bits, min(MOST_PARENTS, n_free))
            # A partial shuffle: the chosen ones move to the end, one after another.
            for p in range(n_parents[v]):
                state, bits = next_bits(state)
                last = n_free - 1 - p
                j = below(bits, last + 1)
                free[j], free[last] = free[last], free[j]
                parents[v, p] = free[last]
                n_children[free[last]] += 1
            # Only these can have reached the maximum number of children.
            n_checked = n_free
            n_free -= n_parents[v]
            for j in range(n_free, n_checked):
                if n_children[free[j]] < MOST_PARENTS:
                    free[n_free] = free[j]
                    n_free += 1
        free[n_free] = v
        n_free += 1
    return state


@compiled_within
def _draw_order(state, query, parents, n_parents, n_left, order, free):  # type: ignore[no-untyped-def]
    """Draw a reversed topological order of a vertex's ancestors; returns the new state, its length.

    Each vertex is drawn uniformly from those whose children have all been drawn.

    Args:
        state: State of the random stream.
        query: The vertex, the first of the order.
        parents: Parents of each vertex.
        n_parents: Their number.
        n_left: Room for the number of children that are not drawn yet.
        order: Receives the order.
        free: Room for the vertices without such children.
    """
    for v in range(query + 1):
        n_left[v] = 0
    # Children come after parents, so in this order all children of a vertex precede it.
    for v in range(query, -1, -1):
        if v == query or n_left[v] > 0:
            for p in range(n_parents[v]):
                n_left[parents[v, p]] += 1
    n_order, n_free, free[0] = 0, 1, query
    while n_free > 0:
        state, bits = next_bits(state)
        j = below(bits, n_free)
        v = free[j]
        n_free -= 1
        free[j] = free[n_free]
        order[n_order] = v
        n_order += 1
        for p in range(n_parents[v]):
            parent = parents[v, p]
            n_left[parent] -= 1
            if n_left[parent] == 0:
                free[n_free] = parent
                n_free += 1
    return state, n_order
