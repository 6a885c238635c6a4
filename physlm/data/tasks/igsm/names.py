"""Names of items, categories and parameters, in compiled code."""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw, take
from physlm.data.tasks.igsm.graph import CATEGORY, MOST_ITEMS, OWNED, OWNER, POOL, WIDTH, WORD
from physlm.data.tasks.igsm.language import POSSESSIVE


@compiled_within
def draw_names(stream, depth, world, graph, scratch):  # type: ignore[no-untyped-def]
    """Draw consecutive layers of a hierarchy, a subcategory of each, and distinct items of it.

    Args:
        stream: Random stream of the draws.
        depth: Number of layers.
        world: Words of each item, by hierarchy, layer, subcategory and number, and the word of each
            category, by hierarchy and layer.
        graph: Receives the words.
        scratch: Room.
    """
    items, categories = world
    n_hierarchies, n_layers, n_subcategories, n_items, n_words = items.shape
    h, first = draw(stream, n_hierarchies), draw(stream, n_layers - depth + 1)
    for i in range(depth):
        graph[CATEGORY, i] = categories[h, first + i]
        sub = draw(stream, n_subcategories)
        for n in range(n_items):
            scratch[POOL, n] = n
        for k in range(graph[WIDTH, i]):
            item = take(stream, scratch[POOL], n_items - k)
            for w in range(n_words):
                graph[WORD + w, MOST_ITEMS * i + k] = items[h, first + i, sub, item, w]


@compiled_within
def write_item(tokens, at, graph, j):  # type: ignore[no-untyped-def]
    """Write the name of an item; returns the place after it."""
    tokens[at] = graph[WORD, j]
    tokens[at + 1] = graph[WORD + 1, j]
    return at + 2


@compiled_within
def write_owned(tokens, at, n_edges, graph, x):  # type: ignore[no-untyped-def]
    """Write what a parameter counts, an item or a category; returns the place after it."""
    if x < n_edges:
        return write_item(tokens, at, graph, graph[OWNED, x])
    tokens[at] = graph[CATEGORY, graph[OWNER, x] // MOST_ITEMS + graph[OWNED, x]]
    return at + 1


@compiled_within
def write_parameter(tokens, at, n_edges, graph, x):  # type: ignore[no-untyped-def]
    """Write a parameter's name, such as Stone Wharf's Swift Sloop; returns the place after it."""
    at = write_item(tokens, at, graph, graph[OWNER, x])
    tokens[at] = POSSESSIVE
    return write_owned(tokens, at + 1, n_edges, graph, x)
