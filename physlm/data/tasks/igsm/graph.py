"""The array into which a problem is drawn, in compiled code.

One array holds a problem, one column for each parameter, item or layer, and one row for each of
their properties: functions of many arrays take long to compile. Instance parameters are numbered
from 0 to ``n_edges - 1``, abstract ones follow. Item k of layer i is number ``4 i + k``.
"""

import numpy as np

from physlm.data.compilation import compiled_within

MOST_LAYERS, MOST_ITEMS = 4, 4  # of a problem, and of a layer in it
MOST_EDGES = (MOST_LAYERS - 1) * MOST_ITEMS**2
MOST_PARAMETERS = MOST_EDGES + MOST_ITEMS * sum(range(MOST_LAYERS))
MOST_PARENTS = 4  # of an instance parameter, the random constant included

# Rows of the graph, of layers, items and pairs: the items of each layer, the two words of each
# item, the word of each category; at ``4 j + k`` the instance parameter of item j and the k-th item
# of the next layer, or -1; at ``4 j + level`` the abstract parameter.
WIDTH, WORD, CATEGORY, EDGE, ABSTRACT = 0, 1, 3, 4, 5
# Of parameters: the item it belongs to, the item it counts (the level of an abstract one), whether
# the solution needs it, how many parents, whether a random constant is one, the constant, whether
# the rest is multiplied by it, whether the second parent is subtracted, its value and letter.
OWNER, OWNED, IS_CHOSEN, N_PARENTS, HAS_CONSTANT, CONSTANT = 6, 7, 8, 9, 10, 11
IS_PRODUCT, IS_DIFFERENCE, VALUE, LETTER = 12, 13, 14, 15
# Of the solution: its parameters in order, the letters in order, where its sentences begin.
ORDER, LETTERS_IN_ORDER, SENTENCE = 16, 17, 18
PARENT = 19  # and the following rows: parents of each parameter
_N_ROWS = PARENT + 2 * MOST_ITEMS

# Rows of the scratch: parameters or other things to draw from, more of them, a number for each
# parameter, two marks for each.
POOL, OTHER, COUNT, IS_MARKED, IS_DONE = range(5)
# The same rows while a sentence of a solution is written, of its steps: two letters, their values,
# the operator between them, and the result.
LEFT, LEFT_VALUE, OPERATOR, RIGHT, RIGHT_VALUE, RESULT = range(6)
_N_SCRATCH_ROWS = 6


@compiled_within
def new_graph():  # type: ignore[no-untyped-def]
    """An empty graph."""
    return np.zeros((_N_ROWS, MOST_PARAMETERS), np.int64)


@compiled_within
def new_scratch():  # type: ignore[no-untyped-def]
    """Room for intermediate results of drawing a graph."""
    return np.zeros((_N_SCRATCH_ROWS, MOST_PARAMETERS), np.int64)


@compiled_within
def add_parent(graph, x, parent):  # type: ignore[no-untyped-def]
    """Add ``parent`` to the parents of parameter ``x``."""
    graph[PARENT + graph[N_PARENTS, x], x] = parent
    graph[N_PARENTS, x] += 1


@compiled_within
def n_operations(graph, x):  # type: ignore[no-untyped-def]
    """Operations that compute a parameter from its parents."""
    return max(graph[N_PARENTS, x] + graph[HAS_CONSTANT, x] - 1, 1)
