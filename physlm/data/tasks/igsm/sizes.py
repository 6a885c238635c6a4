"""The sizes of a problem, in compiled code."""

from typing import NamedTuple

import numpy as np

from physlm.data.compilation import compiled_within
from physlm.data.tasks.igsm.draws import draw, draw_unit

_N_TRIES = 1000


class Sizes(NamedTuple):
    """What is drawn before the structure graph.

    Attributes:
        n_operations: Most operations of the solution, s.
        n_first: Most operations of the abstract parameters and all that they need, n.
        n_chosen: Most operations of all needed parameters before more parents are added, m.
        depth: Layers, d.
        narrowest: Fewest items of a layer, w0.
        widest: Most items of a layer, w1.
        n_edges: Edges of the structure graph, e; 0 if there is no room for any.
        p_wide: Probability of widening the layers further, p.
    """

    n_operations: int
    n_first: int
    n_chosen: int
    depth: int
    narrowest: int
    widest: int
    n_edges: int
    p_wide: float


@compiled_within
def draw_target(stream, op_max):  # type: ignore[no-untyped-def]
    """The smaller of two uniform numbers of operations."""
    return 1 + min(draw(stream, op_max), draw(stream, op_max))


@compiled_within
def draw_sizes(stream, s, ip_max):  # type: ignore[no-untyped-def]
    """Sizes of a problem of at most ``s`` operations and ``ip_max`` instance parameters."""
    n = 1 + max(draw(stream, s), draw(stream, s))
    m = n + draw(stream, s - n + 1)
    rho = (s - 1) / (ip_max - 1)
    depth, narrowest, widest, fewest = 0, 0, 0, 0
    for n_tries in range(_N_TRIES):  # the first succeeds, except below 12 instance parameters
        depth = _draw_width(stream, rho)
        a, b = _draw_width(stream, rho), _draw_width(stream, rho)
        narrowest, widest = min(a, b), max(a, b)
        fewest = (depth - 1) * narrowest
        if fewest <= ip_max:
            break
        if n_tries == _N_TRIES - 1:
            return Sizes(s, n, m, depth, narrowest, widest, 0, 0.0)
    p_wide = draw_unit(stream)
    spread = ip_max - fewest + 1
    drawn = fewest + min(draw(stream, spread), draw(stream, spread))
    n_edges = min(drawn, (depth - 1) * widest**2)
    return Sizes(s, n, m, depth, narrowest, widest, n_edges, p_wide)


@compiled_within
def _draw_width(stream, rho):  # type: ignore[no-untyped-def]
    """2, 3 or 4; larger ones are likelier for more operations."""
    of_2, of_3, of_4 = (
        np.exp(-((rho - 0.2) ** 2)),
        np.exp(-((rho - 0.5) ** 2)),
        np.exp(-((rho - 0.8) ** 2)),
    )
    drawn = draw_unit(stream) * (of_2 + of_3 + of_4)
    if drawn < of_2:
        return 2
    return 3 if drawn < of_2 + of_3 else 4
