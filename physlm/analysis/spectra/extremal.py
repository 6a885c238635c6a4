"""The second and the largest eigenvalue alone, by Lanczos iterations on all graphs at once.

The eigenvector of eigenvalue 0 is known, D^1/2 1 (1 for ``comb``), so lambda_2 is c minus the
largest eigenvalue of c (I - u u') - L, where c is at least lambda_T. What has not converged is
decomposed as a whole: the gaps of graphs that look like paths fall as T^-2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.eigenvalue_metrics import Extremes
from physlm.analysis.spectra.graph import Graph
from physlm.analysis.spectra.laplacians import (
    above_tokens,
    inverse_root_degrees,
    root_degrees,
    symmetric_operator,
)
from physlm.analysis.spectra.options import LaplacianKind
from physlm.rng import stream

_MOST_STEPS = 96
_FIRST_CHECK, _EVERY = 12, 4
_DRAWN = 0.5  # length of the random vector that is added to a guess of length 1
_ALLOWED = {torch.float32: 3e-5, torch.float64: 5e-10}  # residual, over the scale of the operator


@dataclass(frozen=True, slots=True)
class Mode:
    """An eigenvalue at an end of the spectrum, its vector, and whether Lanczos found it."""

    value: Float[Tensor, "*graphs"]
    vector: Float[Tensor, "*graphs tokens"]
    is_converged: Bool[Tensor, "*graphs"]


def extremes(graph: Graph, laplacian: LaplacianKind, *, with_largest: bool = True) -> Extremes:
    """lambda_1 (which is 0), lambda_2 and lambda_T of ``sym``, ``comb`` or ``rw``."""
    second = fiedler(graph, laplacian).value
    largest = largest_mode(graph, laplacian).value if with_largest else None
    return Extremes(torch.zeros_like(second), second, largest)


@torch.no_grad()
def fiedler(
    graph: Graph, laplacian: LaplacianKind, start: Float[Tensor, "*graphs tokens"] | None = None
) -> Mode:
    """lambda_2, and the Fiedler vector, for which ``start`` may be a guess."""
    product = _Product.of(graph, laplacian)
    found = _largest(product.mirrored, product.kernel, product.bound, _start(graph, start))
    value = (product.bound.view_as(found.value) - found.value).clamp(min=0)
    return _completed(Mode(value, found.vector, found.is_converged), graph, laplacian, 1)


@torch.no_grad()
def largest_mode(graph: Graph, laplacian: LaplacianKind) -> Mode:
    """lambda_T and its vector."""
    product = _Product.of(graph, laplacian)
    nothing = torch.zeros_like(product.kernel)
    found = _largest(product.plain, nothing, product.bound, _start(graph, None))
    return _completed(found, graph, laplacian, -1)


@dataclass(frozen=True, slots=True)
class _Product:
    """Products of operators with vectors, from W itself: building L takes as long as five of them.

    Vectors are rows, [graph, 1, token]: W is symmetric, and torch is ten times slower with columns.
    """

    weights: Tensor
    degrees: Tensor
    scale: Tensor  # D^-1/2, or 1 of tokens
    kernel: Tensor  # u
    bound: Tensor  # c: at least the largest eigenvalue, and not 0

    @classmethod
    def of(cls, graph: Graph, laplacian: LaplacianKind) -> "_Product":
        size = graph.degrees.shape[-1]
        degrees = graph.degrees.reshape(-1, 1, size)
        if laplacian is LaplacianKind.comb:
            is_token = torch.ones_like(degrees, dtype=torch.bool)
            if graph.is_token is not None:
                is_token = graph.is_token.reshape(degrees.shape)
            scale = kernel = is_token.to(degrees.dtype)
            bound = (2 * degrees.amax(-1, keepdim=True)).clamp(min=1e-30)
        else:
            scale = inverse_root_degrees(graph).reshape(degrees.shape)
            kernel = root_degrees(graph).reshape(degrees.shape)
            bound = torch.full_like(degrees[..., :1], 2.0)
        # Without edges the kernel of sym is 0 here, and every vector has eigenvalue 0 anyway.
        kernel = torch.nn.functional.normalize(kernel, dim=-1, eps=1e-30)
        return cls(graph.weights.reshape(-1, size, size), degrees, scale, kernel, bound)

    def plain(self, vector: Tensor) -> Tensor:
        """L v."""
        scaled = vector * self.scale
        return (scaled * self.degrees - scaled @ self.weights) * self.scale

    def mirrored(self, vector: Tensor) -> Tensor:
        """The product c v - L v with a vector orthogonal to u."""
        return self.bound * vector - self.plain(vector)


def _start(graph: Graph, start: Tensor | None) -> Tensor:
    """A random vector, to which a guess is added.

    The guess alone may have become another eigenvector, whose residual is as small.
    """
    drawn = _draws(graph.degrees.shape[-1]).to(graph.degrees).expand_as(graph.degrees)
    if start is None:
        start = drawn
    else:
        normalize = torch.nn.functional.normalize
        start = normalize(start, dim=-1) + _DRAWN * normalize(drawn, dim=-1)
    return start if graph.is_token is None else start * graph.is_token


@lru_cache(maxsize=16)
def _draws(n: int) -> Tensor:
    return torch.from_numpy(stream(0, "lanczos").standard_normal(n))


def _largest(
    apply: Callable[[Tensor], Tensor], known: Tensor, bound: Tensor, start: Tensor
) -> Mode:
    """The largest eigenvalue of positive semidefinite operators, with its residual checked.

    Args:
        apply: The product with a vector.
        known: An eigenvector to leave out, or 0.
        bound: At least the largest eigenvalue.
        start: A vector that is not orthogonal to the one sought.
    """
    size = start.shape[-1]
    n_graphs, n_steps = len(known), min(size, _MOST_STEPS)
    allowed = _ALLOWED[start.dtype] * bound[:, 0, 0]
    least = 10 * torch.finfo(start.dtype).eps * bound
    basis = start.new_zeros(n_graphs, n_steps + 1, size)
    inner = start.new_zeros(n_graphs, n_steps, n_steps)
    basis[:, :1] = known
    vector = start.reshape(-1, 1, size)
    vector = torch.nn.functional.normalize(vector - vector @ known.mT * known, dim=-1, eps=1e-30)
    for step in range(n_steps):
        basis[:, step + 1] = vector[:, 0]
        rows, image = basis[:, : step + 2], apply(vector)
        overlap = image @ rows.mT
        image = image - overlap @ rows
        image = image - image @ rows.mT @ rows  # once is not enough in floating point
        length = image.norm(dim=-1, keepdim=True)
        # A length of 0 ends the iteration: the space is invariant, and holds the eigenvector.
        vector = torch.where(length > least, image / length.clamp(min=1e-37), 0.0)
        inner[:, step, step] = overlap[:, 0, -1]
        is_last = step + 1 == n_steps
        if is_last or (step + 1 >= _FIRST_CHECK and (step + 1 - _FIRST_CHECK) % _EVERY == 0):
            value, weights = _top(inner[:, : step + 1, : step + 1])
            if is_last or bool((length[:, 0, 0] * weights[:, -1].abs() <= allowed / 2).all()):
                break
        inner[:, step + 1, step] = inner[:, step, step + 1] = length[:, 0, 0]
    found = weights[:, None] @ rows[:, 1:]
    rest = (apply(found) - value[:, None, None] * found).norm(dim=-1)[:, 0]
    shape = start.shape[:-1]
    return Mode(value.view(shape), found.view(start.shape), (rest <= allowed).view(shape))


def _top(inner: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(inner)
    return values[:, -1], vectors[..., -1]


def _completed(found: Mode, graph: Graph, laplacian: LaplacianKind, index: int) -> Mode:
    """Replace what has not converged by the result of the full decomposition."""
    if found.is_converged.all():
        return found
    missing = ~found.is_converged
    matrix = above_tokens(symmetric_operator(graph, laplacian), graph)[missing]
    values, vectors = torch.linalg.eigh(matrix)
    n_tokens = graph.n_tokens[missing]
    at = torch.full_like(n_tokens, index) if index > 0 else n_tokens - 1
    found.value[missing] = values.gather(-1, at[:, None])[:, 0].clamp(min=0)
    chosen = vectors.gather(-1, at[:, None, None].expand_as(vectors[..., :1]))
    found.vector[missing] = chosen[..., 0]
    return found
