"""The sentences of a solution, in compiled code.

The steps of a sentence are planned before they are written, because it first names the letter of
the last one. A constant is its own letter, because its token is its value.
"""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw_order
from physlm.data.tasks.igsm.graph import (
    CONSTANT,
    HAS_CONSTANT,
    IS_DIFFERENCE,
    IS_PRODUCT,
    LEFT,
    LEFT_VALUE,
    LETTER,
    LETTERS_IN_ORDER,
    N_PARENTS,
    OPERATOR,
    ORDER,
    OWNED,
    PARENT,
    RESULT,
    RIGHT,
    RIGHT_VALUE,
    SENTENCE,
    VALUE,
)
from physlm.data.tasks.igsm.language import (
    AS,
    DEFINE,
    FIRST_LETTER,
    IS,
    LETTERS,
    MINUS,
    MODULUS,
    PLUS,
    PRODUCT,
    SEMICOLON,
    SO,
    STOP,
)
from physlm.data.tasks.igsm.names import write_parameter

_N_LETTERS = len(LETTERS)


@compiled_within
def write_solution(stream, tokens, n_edges, n_chosen, options, graph, steps):  # type: ignore[no-untyped-def]
    """Write one sentence for each parameter of the order.

    Args:
        stream: Random stream of the draws.
        tokens: Receives the sentences.
        n_edges: Number of instance parameters.
        n_chosen: Parameters in the order.
        options: Whether all products of a sum come before its additions, and whether letters are
            in order instead of drawn.
        graph: The order, parents and values; receives letters, and where sentences begin.
        steps: Room for the steps of a sentence.

    Returns:
        The place after the last sentence.
    """
    has_products_first, has_ordered_letters = options
    letters = graph[LETTERS_IN_ORDER]
    for i in range(_N_LETTERS):
        letters[i] = FIRST_LETTER + i
    if not has_ordered_letters:
        draw_order(stream, letters, _N_LETTERS)
    at, used = 0, 0
    for i in range(n_chosen):
        x = graph[ORDER, i]
        if x < n_edges:
            n_steps = _plan_instance(graph, x, used, steps)
        elif graph[OWNED, x] == 1:
            n_steps = _plan_fold(graph, x, PLUS, used, steps)
        else:
            n_steps = _plan_products(graph, x, used, has_products_first, steps)
        last = used + max(n_steps, 1) - 1
        graph[LETTER, x] = letters[last]
        graph[SENTENCE, i] = at
        tokens[at] = DEFINE
        at = write_parameter(tokens, at + 1, n_edges, graph, x)
        tokens[at] = AS
        tokens[at + 1] = letters[last]
        tokens[at + 2] = SEMICOLON
        at = _write_steps(tokens, at + 3, letters, used, n_steps, steps)
        if n_steps == 0:
            at = _write_copy(tokens, at, n_edges, graph, x)
        tokens[at] = STOP
        at += 1
        used = last + 1
    graph[SENTENCE, n_chosen] = at
    return at


@compiled_within
def _plan_instance(graph, x, used, steps):  # type: ignore[no-untyped-def]
    """Plan the steps of an instance parameter: those of its parents, then its constant.

    Args:
        graph: Letters, parents and values.
        x: The parameter.
        used: Letters of earlier sentences.
        steps: Receives the steps.

    Returns:
        Their number.
    """
    n = _plan_fold(graph, x, MINUS if graph[IS_DIFFERENCE, x] else PLUS, used, steps)
    if graph[HAS_CONSTANT, x] == 0 or graph[N_PARENTS, x] == 0:
        return n
    letter, value = graph[LETTER, graph[PARENT, x]], graph[VALUE, graph[PARENT, x]]
    if n > 0:
        letter, value = graph[LETTERS_IN_ORDER, used + n - 1], steps[RESULT, n - 1]
    operator = PRODUCT if graph[IS_PRODUCT, x] else PLUS
    _plan(steps, n, graph[CONSTANT, x], graph[CONSTANT, x], operator, letter, value)
    return n + 1


@compiled_within
def _plan_fold(graph, x, operator, used, steps):  # type: ignore[no-untyped-def]
    """Plan to combine the parents of a parameter from left to right; see `_plan_instance`."""
    if graph[N_PARENTS, x] < 2:
        return 0
    first = graph[PARENT, x]
    letter, value = graph[LETTER, first], graph[VALUE, first]
    for p in range(1, graph[N_PARENTS, x]):
        y = graph[PARENT + p, x]
        value = _plan(steps, p - 1, letter, value, operator, graph[LETTER, y], graph[VALUE, y])
        letter = graph[LETTERS_IN_ORDER, used + p - 1]
    return graph[N_PARENTS, x] - 1


@compiled_within
def _plan_products(graph, x, used, has_products_first, steps):  # type: ignore[no-untyped-def]
    """Plan a sum of products of each parent and the next one; see `_plan_instance`."""
    letters, n_products = graph[LETTERS_IN_ORDER], graph[N_PARENTS, x] // 2
    n, letter, value = 0, 0, 0
    for c in range(n_products):
        y, z = graph[PARENT + 2 * c, x], graph[PARENT + 2 * c + 1, x]
        added = _plan(
            steps, n, graph[LETTER, y], graph[VALUE, y], PRODUCT, graph[LETTER, z], graph[VALUE, z]
        )
        other = letters[used + n]
        n += 1
        if c == 0:
            letter, value = other, added
        elif not has_products_first:
            value = _plan(steps, n, letter, value, PLUS, other, added)
            letter = letters[used + n]
            n += 1
    if has_products_first:
        for c in range(1, n_products):
            value = _plan(steps, n, letter, value, PLUS, letters[used + c], steps[RESULT, c])
            letter = letters[used + n]
            n += 1
    return n


@compiled_within
def _plan(steps, n, left, left_value, operator, right, right_value):  # type: ignore[no-untyped-def]
    """Plan step ``n``: two letters, their values, and the operator; returns the result."""
    if operator == PRODUCT:
        result = left_value * right_value % MODULUS
    elif operator == PLUS:
        result = (left_value + right_value) % MODULUS
    else:
        result = (left_value - right_value) % MODULUS
    steps[LEFT, n], steps[LEFT_VALUE, n] = left, left_value
    steps[OPERATOR, n], steps[RESULT, n] = operator, result
    steps[RIGHT, n], steps[RIGHT_VALUE, n] = right, right_value
    return result


@compiled_within
def _write_steps(tokens, at, letters, used, n_steps, steps):  # type: ignore[no-untyped-def]
    """Write the steps of a sentence, each with letters, with numbers, and its result.

    Returns:
        The place after them.
    """
    for n in range(n_steps):
        if n == n_steps - 1:
            tokens[at] = SO
            at += 1
        tokens[at] = letters[used + n]
        tokens[at + 1] = IS
        tokens[at + 2] = steps[LEFT, n]
        tokens[at + 3] = steps[OPERATOR, n]
        tokens[at + 4] = steps[RIGHT, n]
        tokens[at + 5] = IS
        tokens[at + 6] = steps[LEFT_VALUE, n]
        tokens[at + 7] = steps[OPERATOR, n]
        tokens[at + 8] = steps[RIGHT_VALUE, n]
        tokens[at + 9] = IS
        tokens[at + 10] = steps[RESULT, n]
        at += 11
        if n < n_steps - 1:
            tokens[at] = SEMICOLON
            at += 1
    return at


@compiled_within
def _write_copy(tokens, at, n_edges, graph, x):  # type: ignore[no-untyped-def]
    """Write that a parameter is equal to its only parent, or to a constant.

    Returns:
        The place after that.
    """
    tokens[at] = SO
    tokens[at + 1] = graph[LETTER, x]
    tokens[at + 2] = IS
    at += 3
    if graph[N_PARENTS, x] > 0:
        tokens[at] = graph[LETTER, graph[PARENT, x]]
        tokens[at + 1] = IS
        at += 2
        tokens[at] = graph[VALUE, graph[PARENT, x]]
    else:
        tokens[at] = graph[CONSTANT, x] if x < n_edges else 0
    return at + 1
