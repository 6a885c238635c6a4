"""The sentences of a solution, in compiled code.

Every function writes at a place and returns the place after what it wrote. A term is a letter with
its value; a constant is its own letter, for its token is its value.
"""

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw_order
from physlm.data.tasks.igsm.graph import (
    CONSTANT,
    HAS_CONSTANT,
    IS_DIFFERENCE,
    IS_PRODUCT,
    LETTER,
    LETTERS_IN_ORDER,
    N_PARENTS,
    ORDER,
    OWNED,
    PARENT,
    SENTENCE,
    VALUE,
    n_operations,
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
def write_solution(stream, tokens, n_edges, n_chosen, has_products_first, graph):  # type: ignore[no-untyped-def]
    """Write one sentence for each parameter of the order, with letters in random order.

    Args:
        stream: Of the draws.
        tokens: Receives the sentences.
        n_edges: Number of instance parameters.
        n_chosen: Parameters in the order.
        has_products_first: Whether all products of a sum come before its additions.
        graph: The order, parents and values; receives letters, and where sentences begin.
    """
    letters = graph[LETTERS_IN_ORDER]
    for i in range(_N_LETTERS):
        letters[i] = FIRST_LETTER + i
    draw_order(stream, letters, _N_LETTERS)
    at, n_used = 0, 0
    for i in range(n_chosen):
        x = graph[ORDER, i]
        graph[SENTENCE, i] = at
        tokens[at] = DEFINE
        at = write_parameter(tokens, at + 1, n_edges, graph, x)
        # The parameter has the last letter of the sentence, as that of its last operation.
        last = n_used + n_operations(graph, x) - 1
        graph[LETTER, x] = letters[last]
        tokens[at] = AS
        tokens[at + 1] = letters[last]
        tokens[at + 2] = SEMICOLON
        at += 3
        if graph[N_PARENTS, x] == 0:
            constant = graph[CONSTANT, x] if x < n_edges else 0
            at = _write_copy(tokens, at, letters[last], constant, constant)
        elif x < n_edges:
            at = _write_instance(tokens, at, graph, x, n_used, last)
        else:
            at = _write_abstract(tokens, at, graph, x, n_used, last, has_products_first)
        tokens[at] = STOP
        at += 1
        n_used = last + 1
    graph[SENTENCE, n_chosen] = at
    return at


@compiled_within
def _write_instance(tokens, at, graph, x, used, last):  # type: ignore[no-untyped-def]
    """Write the operations of an instance parameter: those of its parents, then its constant.

    Args:
        tokens: Receives them.
        at: Where to write.
        graph: Letters, parents and values.
        x: The parameter.
        used: Place of the first letter of this sentence.
        last: Place of its last letter.
    """
    letters = graph[LETTERS_IN_ORDER]
    parent = graph[PARENT, x]
    letter, value = graph[LETTER, parent], graph[VALUE, parent]
    operator = MINUS if graph[IS_DIFFERENCE, x] else PLUS
    for p in range(1, graph[N_PARENTS, x]):
        parent = graph[PARENT + p, x]
        other, added = graph[LETTER, parent], graph[VALUE, parent]
        at, value = _write_operation(
            tokens, at, letters[used], used == last, letter, value, operator, other, added
        )
        letter = letters[used]
        used += 1
    if graph[HAS_CONSTANT, x]:
        c = graph[CONSTANT, x]
        operator = PRODUCT if graph[IS_PRODUCT, x] else PLUS
        at, _ = _write_operation(
            tokens, at, letters[used], used == last, c, c, operator, letter, value
        )
    elif graph[N_PARENTS, x] == 1:
        at = _write_copy(tokens, at, letters[last], letter, value)
    return at


@compiled_within
def _write_abstract(tokens, at, graph, x, used, last, has_products_first):  # type: ignore[no-untyped-def]
    """Write the operations of an abstract parameter; see `_write_instance`."""
    letters, n = graph[LETTERS_IN_ORDER], graph[N_PARENTS, x]
    step = 1 if graph[OWNED, x] == 1 else 2
    first = used
    if has_products_first and step == 2:
        for p in range(0, n, 2):
            at, _ = _write_product(tokens, at, graph, x, p, letters[used], used == last)
            used += 1
    letter, value = 0, 0
    for p in range(0, n, step):
        if step == 1:
            parent = graph[PARENT + p, x]
            other, added = graph[LETTER, parent], graph[VALUE, parent]
        elif has_products_first:
            left, right = graph[PARENT + p, x], graph[PARENT + p + 1, x]
            other = letters[first + p // 2]
            added = graph[VALUE, left] * graph[VALUE, right] % MODULUS
        else:
            # Each product comes just before it is added.
            at, added = _write_product(tokens, at, graph, x, p, letters[used], used == last)
            other = letters[used]
            used += 1
        if p == 0:
            letter, value = other, added
        else:
            at, value = _write_operation(
                tokens, at, letters[used], used == last, letter, value, PLUS, other, added
            )
            letter = letters[used]
            used += 1
    if n == 1:
        at = _write_copy(tokens, at, letters[last], letter, value)
    return at


@compiled_within
def _write_product(tokens, at, graph, x, p, letter, is_last):  # type: ignore[no-untyped-def]
    """Write the product of a parent and the next one; also returns its value."""
    left, right = graph[PARENT + p, x], graph[PARENT + p + 1, x]
    return _write_operation(
        tokens,
        at,
        letter,
        is_last,
        graph[LETTER, left],
        graph[VALUE, left],
        PRODUCT,
        graph[LETTER, right],
        graph[VALUE, right],
    )


@compiled_within
def _write_copy(tokens, at, letter, other, value):  # type: ignore[no-untyped-def]
    """Write that a parameter is equal to another one, or to a constant."""
    tokens[at] = SO
    tokens[at + 1] = letter
    tokens[at + 2] = IS
    at += 3
    if other >= FIRST_LETTER:
        tokens[at] = other
        tokens[at + 1] = IS
        at += 2
    tokens[at] = value
    return at + 1


@compiled_within
def _write_operation(tokens, at, letter, is_last, left, of_left, operator, right, of_right):  # type: ignore[no-untyped-def]
    """Write an operation with letters, with numbers, and its result; also returns its value.

    Args:
        tokens: Receives it.
        at: Where to write.
        letter: Of the result.
        is_last: Whether it is the last one of its sentence.
        left: The first letter, or a constant.
        of_left: Its value.
        operator: The token of the operator.
        right: The second letter.
        of_right: Its value.
    """
    if operator == PRODUCT:
        value = of_left * of_right % MODULUS
    elif operator == PLUS:
        value = (of_left + of_right) % MODULUS
    else:
        value = (of_left - of_right) % MODULUS
    if is_last:
        tokens[at] = SO
        at += 1
    tokens[at] = letter
    tokens[at + 1] = IS
    tokens[at + 2] = left
    tokens[at + 3] = operator
    tokens[at + 4] = right
    tokens[at + 5] = IS
    tokens[at + 6] = of_left
    tokens[at + 7] = operator
    tokens[at + 8] = of_right
    tokens[at + 9] = IS
    tokens[at + 10] = value
    at += 11
    if not is_last:
        tokens[at] = SEMICOLON
        at += 1
    return at, value
