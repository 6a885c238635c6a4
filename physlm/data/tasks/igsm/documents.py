"""Documents of iGSM in compiled code."""

from typing import NamedTuple

import numpy as np

from physlm.data.compilation import compiled, compiled_within
from physlm.data.growing import grown
from physlm.data.splitmix import stream_of
from physlm.data.tasks.igsm.dependencies import add_parents, add_unused, count_more_operations
from physlm.data.tasks.igsm.graph import (
    IS_DONE,
    MOST_EDGES,
    MOST_PARAMETERS,
    ORDER,
    POOL,
    SENTENCE,
    VALUE,
    new_graph,
    new_scratch,
)
from physlm.data.tasks.igsm.language import ANSWER, BOS, LETTERS, PROBLEM, SOLUTION
from physlm.data.tasks.igsm.names import draw_names
from physlm.data.tasks.igsm.necessary import choose_necessary
from physlm.data.tasks.igsm.ordering import draw_necessary_order
from physlm.data.tasks.igsm.problem_writing import write_problem, write_question
from physlm.data.tasks.igsm.retries import write_retries
from physlm.data.tasks.igsm.sizes import draw_sizes, draw_target
from physlm.data.tasks.igsm.solution_writing import write_solution
from physlm.data.tasks.igsm.structure import draw_structure
from physlm.data.tasks.igsm.template import token_bin
from physlm.data.tasks.igsm.values import compute_values, draw_rules

_N_STRUCTURES = 1000  # for one draw of sizes, as in the release
_N_TRIES = 5_000  # draws of sizes for one problem, and problems for one document

# Room for the longest texts: a reference, the rest of a sentence, an operation, a wrong parameter.
_REFERENCE, _REST, _OPERATION, _WRONG = 7, 10, 13, 9
_SOLUTION_ROOM = len(LETTERS) * (_OPERATION + _REFERENCE + _REST)
_PROBLEM_ROOM = (MOST_EDGES + 1) * (5 * _REFERENCE + _REST)
LONGEST = _PROBLEM_ROOM + _SOLUTION_ROOM  # without wrong parameters
_RETRY_ROOM = len(LETTERS) * MOST_PARAMETERS * _WRONG


class Counts(NamedTuple):
    """The size of a problem that was drawn.

    Attributes:
        n_edges: Instance parameters; 0 if no problem was found.
        n_parameters: All parameters.
        n_chosen: Parameters that the solution needs.
    """

    n_edges: int
    n_parameters: int
    n_chosen: int


@compiled
def igsm_documents(key, first, n_documents, bounds, bins, options, retry, shown, world):  # type: ignore[no-untyped-def]
    """Tokens of all documents, where each starts, and how many were found.

    Also returns the operations of the last one. Fewer are found if too many draws failed.

    Args:
        key: Key of the random streams.
        first: Number of the first document.
        n_documents: Number of documents.
        bounds: Operations of every problem, or 0 to draw them; the most operations and instance
            parameters; the most tokens of a document, longer ones are drawn again.
        bins: The first and the last bin that templates may have.
        options: Whether the question comes first; sizes are drawn as in the release; parents are
            likelier if something needs them already; all products come before the sums; letters
            are in order.
        retry: See `write_retries`.
        shown: The most sentences of a solution that are written, and how many of its last ones are
            withheld.
        world: See `draw_names`.
    """
    stream, graph, scratch = np.zeros(1, np.uint64), new_graph(), new_scratch()
    solution = np.zeros(_SOLUTION_ROOM, np.int32)
    room = LONGEST + (_RETRY_ROOM if retry[0] > 0 else 0)
    target = 0
    tokens, starts = np.zeros(room, np.int32), np.zeros(n_documents + 1, np.int64)
    for i in range(n_documents):
        tokens = grown(tokens, starts[i], room)
        stream[0] = stream_of(key, first + i)
        for n_tries in range(_N_TRIES + 1):
            target = bounds[0] if bounds[0] > 0 else draw_target(stream, bounds[1])
            counts = _draw_problem(
                stream, target, bounds, bins, options, world, graph, scratch, solution
            )
            if counts.n_edges == 0 or n_tries == _N_TRIES:
                return tokens[: starts[i]], starts, i, target
            starts[i + 1] = _write_document(
                stream,
                tokens,
                starts[i],
                options[0],
                retry,
                shown,
                counts,
                graph,
                scratch,
                solution,
            )
            if starts[i + 1] - starts[i] <= bounds[3]:
                break
    return tokens[: starts[-1]], starts, n_documents, target


@compiled_within
def _draw_problem(  # type: ignore[no-untyped-def]
    stream, target, bounds, bins, options, world, graph, scratch, solution
):
    """Draw a problem with its solution; see `igsm_documents`. Returns its `Counts`."""
    _, op_max, ip_max, _ = bounds
    for _ in range(_N_TRIES):
        # The release draws sizes of any number of operations, until the graph has the target.
        s = draw_target(stream, max(target, op_max)) if options[1] else target
        sizes = draw_sizes(stream, s, ip_max)
        if sizes.n_edges == 0:
            continue
        n_parameters, n_min, n_chosen = _draw_order(stream, sizes, options[2], graph, scratch)
        if n_chosen == 0:
            continue
        found = count_more_operations(stream, sizes, n_min, n_chosen, graph, scratch)
        if found != target:
            continue
        add_parents(stream, sizes, n_chosen, graph, scratch)
        add_unused(stream, sizes, n_parameters, graph, scratch)
        draw_rules(stream, sizes.n_edges, graph)
        compute_values(sizes.n_edges, n_chosen, graph)
        draw_names(stream, sizes.depth, world, graph, scratch)
        end = write_solution(
            stream, solution, sizes.n_edges, n_chosen, (options[3], options[4]), graph, scratch
        )
        if bins[0] <= token_bin(solution, end, scratch[POOL]) <= bins[1]:
            return Counts(sizes.n_edges, n_parameters, n_chosen)
    return Counts(0, 0, 0)


@compiled_within
def _draw_order(stream, sizes, prefers_wanted, graph, scratch):  # type: ignore[no-untyped-def]
    """Draw structures until the order of the parameters succeeds.

    Returns:
        All parameters, the operations of those in the order, and their number; 0 if all failed.
    """
    for _ in range(_N_STRUCTURES):
        n_parameters = draw_structure(stream, sizes, graph, scratch)
        n_min = choose_necessary(stream, sizes, n_parameters, graph, scratch)
        n_chosen = draw_necessary_order(stream, sizes, n_parameters, prefers_wanted, graph, scratch)
        if n_chosen > 0:
            return n_parameters, n_min, n_chosen
    return 0, 0, 0


@compiled_within
def _write_document(  # type: ignore[no-untyped-def]
    stream, tokens, at, is_question_first, retry, shown, counts, graph, scratch, solution
):
    """Write the problem, the question, and what is shown of the solution, with wrong parameters.

    Returns:
        The place after them.
    """
    query = graph[ORDER, counts.n_chosen - 1]
    tokens[at] = BOS
    tokens[at + 1] = PROBLEM
    at += 2
    if is_question_first:
        at = write_question(tokens, at, counts.n_edges, graph, query)
    at = write_problem(stream, tokens, at, counts.n_edges, graph, scratch[POOL])
    if not is_question_first:
        at = write_question(tokens, at, counts.n_edges, graph, query)
    tokens[at] = SOLUTION
    at += 1
    for x in range(counts.n_parameters):
        scratch[IS_DONE, x] = 0
    for i in range(min(counts.n_chosen - shown[1], shown[0])):
        if retry[0] > 0:
            at = write_retries(stream, tokens, at, counts, i, retry, graph, scratch)
        for t in range(graph[SENTENCE, i], graph[SENTENCE, i + 1]):
            tokens[at] = solution[t]
            at += 1
        scratch[IS_DONE, graph[ORDER, i]] = 1
    tokens[at] = ANSWER
    tokens[at + 1] = graph[VALUE, query]
    return at + 2
