"""The second and the largest eigenvalue alone, by Lanczos iterations on all graphs at once.

The eigenvector of eigenvalue 0 is known, D^1/2 1 (1 of ``comb``), so that lambda_2 is c minus the
largest eigenvalue of c (I - u u') - L, where c is at least lambda_T. What has not converged is
decomposed as a whole: the gaps of graphs that look like paths fall as T^-2.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.eigenvalue_metrics import Extremes
from physlm.analysis.spectra.graph import Graph
from physlm.analysis.spectra.laplacians import above_tokens, root_degrees, symmetric_operator
from physlm.analysis.spectra.options import LaplacianKind
from physlm.rng import stream

_MOST_STEPS = 96
_FIRST_CHECK, _EVERY = 16, 8
_ALLOWED = {torch.float32: 1e-4, torch.float64: 5e-10}  # residual, over the scale of the operator


@dataclass(frozen=True, slots=True)
class Mode:
    """An eigenvalue at an end of the spectrum, its vector, and whether Lanczos found it."""

    value: Float[Tensor, "*graphs"]
    vector: Float[Tensor, "*graphs tokens"]
    is_converged: Bool[Tensor, "*graphs"]


def extremes(graph: Graph, laplacian: LaplacianKind) -> Extremes:
    """lambda_1 (which is 0), lambda_2 and lambda_T of ``sym``, ``comb`` or ``rw``."""
    second, largest = fiedler(graph, laplacian).value, largest_mode(graph, laplacian).value
    return Extremes(torch.zeros_like(second), second, largest)


@torch.no_grad()
def fiedler(
    graph: Graph, laplacian: LaplacianKind, start: Float[Tensor, "*graphs tokens"] | None = None
) -> Mode:
    """lambda_2, and the Fiedler vector, of which ``start`` may be a guess."""
    matrix = symmetric_operator(graph, laplacian)
    kernel = _kernel(graph, laplacian)
    shift = _bound(graph, laplacian)
    shifted = shift[..., None, None] * _tokens_only(graph) - matrix
    shifted = shifted - shift[..., None, None] * kernel[..., :, None] * kernel[..., None, :]
    found = _largest(shifted, shift, _start(graph, start))
    value = (shift - found.value).clamp(min=0)
    return _completed(Mode(value, found.vector, found.is_converged), matrix, graph, 1)


@torch.no_grad()
def largest_mode(graph: Graph, laplacian: LaplacianKind) -> Mode:
    """lambda_T and its vector."""
    matrix = symmetric_operator(graph, laplacian)
    found = _largest(matrix, _bound(graph, laplacian), _start(graph, None))
    return _completed(found, matrix, graph, -1)


def _kernel(graph: Graph, laplacian: LaplacianKind) -> Tensor:
    """The known eigenvector; without edges it is 0, and every vector has eigenvalue 0 anyway."""
    known = root_degrees(graph)
    if laplacian is LaplacianKind.comb:
        known = torch.ones_like(known) if graph.is_token is None else graph.is_token.to(known.dtype)
    return torch.nn.functional.normalize(known, dim=-1, eps=1e-30)


def _bound(graph: Graph, laplacian: LaplacianKind) -> Tensor:
    """At least the largest eigenvalue, and not 0."""
    if laplacian is LaplacianKind.comb:
        return (2 * graph.degrees.amax(-1)).clamp(min=1e-30)
    return torch.full_like(graph.degrees[..., 0], 2.0)


def _tokens_only(graph: Graph) -> Tensor:
    eye = torch.eye(graph.degrees.shape[-1], dtype=graph.degrees.dtype, device=graph.degrees.device)
    return eye if graph.is_token is None else eye * graph.is_token[..., None]


def _start(graph: Graph, start: Tensor | None) -> Tensor:
    if start is None:
        draws = _draws(graph.degrees.shape[-1])
        start = draws.to(graph.degrees).expand_as(graph.degrees)
    return start if graph.is_token is None else start * graph.is_token


@lru_cache(maxsize=16)
def _draws(n: int) -> Tensor:
    return torch.from_numpy(stream(0, "lanczos").standard_normal(n))


def _largest(matrix: Tensor, scale: Tensor, start: Tensor) -> Mode:
    """The largest eigenvalue of matrices without negative ones, its residual checked."""
    shape, size = start.shape[:-1], start.shape[-1]
    matrix, vector = matrix.reshape(-1, size, size), start.reshape(-1, size, 1)
    allowed = _ALLOWED[matrix.dtype] * scale.reshape(-1)
    n_steps = min(size, _MOST_STEPS)
    basis = vector.new_zeros(len(matrix), n_steps, size)
    inner = vector.new_zeros(len(matrix), n_steps, n_steps)
    vector = vector / vector.norm(dim=1, keepdim=True)
    least = torch.finfo(matrix.dtype).eps * scale.reshape(-1, 1, 1)
    for step in range(n_steps):
        basis[:, step] = vector[..., 0]
        known, image = basis[:, : step + 1], matrix @ vector
        overlap = known @ image
        inner[:, step, step] = overlap[:, step, 0]
        image = image - known.mT @ overlap
        image = image - known.mT @ (known @ image)  # once is not enough in floating point
        length = image.norm(dim=1, keepdim=True)
        # A length of 0 ends the iteration: the space is invariant, and holds the eigenvector.
        vector = torch.where(length > 10 * least, image / length.clamp(min=1e-37), 0.0)
        is_last = step + 1 == n_steps
        if is_last or (step + 1 >= _FIRST_CHECK and (step + 1 - _FIRST_CHECK) % _EVERY == 0):
            value, weights = _top(inner[:, : step + 1, : step + 1])
            residual = (length[:, 0, 0] * weights[:, -1].abs()) if not is_last else None
            if is_last or bool((residual <= allowed / 2).all()):  # type: ignore[operator]
                break
        if not is_last:
            inner[:, step + 1, step] = inner[:, step, step + 1] = length[:, 0, 0]
    found = (weights[:, None] @ known)[:, 0]
    rest = (matrix @ found[..., None])[..., 0] - value[:, None] * found
    is_converged = rest.norm(dim=-1) <= allowed
    return Mode(value.view(shape), found.view(*shape, size), is_converged.view(shape))


def _top(inner: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(inner)
    return values[:, -1], vectors[..., -1]


def _completed(found: Mode, matrix: Tensor, graph: Graph, index: int) -> Mode:
    """Replace what has not converged by the result of the full decomposition."""
    if found.is_converged.all():
        return found
    missing = ~found.is_converged
    values, vectors = torch.linalg.eigh(above_tokens(matrix, graph)[missing])
    n_tokens = graph.n_tokens[missing]
    at = torch.full_like(n_tokens, index) if index > 0 else n_tokens - 1
    found.value[missing] = values.gather(-1, at[:, None])[:, 0].clamp(min=0)
    found.vector[missing] = vectors.gather(-1, at[:, None, None].expand_as(vectors[..., :1]))[
        ..., 0
    ]
    return found
