"""Operators of attention graphs, and their eigenvalues and eigenvectors.

Every matrix that is decomposed here is symmetric to the last bit: solvers of symmetric matrices
read one triangle only, and give wrong values of any other matrix without a word.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.graph import Graph, graph_of, is_causal
from physlm.analysis.spectra.maps import usable
from physlm.analysis.spectra.options import GraphOptions, LaplacianKind, Symmetrise
from physlm.errors import InputError, refused_values


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Eigenvalues of each graph, ascending, and eigenvectors.

    Attributes:
        values: Those of tokens; behind them one per padded token, larger and without meaning.
        is_value: False at those of padded tokens.
        vectors: Orthonormal columns u_k, of ``sym`` for ``rw``; None if not asked for.
    """

    values: Float[Tensor, "*graphs tokens"]
    is_value: Bool[Tensor, "*graphs tokens"]
    vectors: Float[Tensor, "*graphs tokens tokens"] | None = None

    @property
    def n(self) -> Float[Tensor, "*graphs"]:
        """Tokens of each graph, in the precision of the eigenvalues."""
        return self.is_value.sum(-1).to(self.values.dtype)

    @property
    def largest(self) -> Float[Tensor, "*graphs"]:
        """The largest eigenvalue of each graph."""
        last = self.is_value.sum(-1, keepdim=True) - 1
        return self.values.gather(-1, last)[..., 0]


def eigenvalues(
    attention: Float[Tensor, "*maps queries keys"],
    laplacian: LaplacianKind | str = LaplacianKind.sym,
    symmetrise: Symmetrise | str = Symmetrise.mean,
    self_loops: bool = False,  # noqa: FBT001, FBT002
    clip: float = 0.0,
) -> Float[Tensor, "*maps keys"]:
    """Eigenvalues of the graph of each attention map, ascending.

    Gradients flow through eigenvalues, where they are distinct.

    Args:
        attention: Maps ``[..., T, T]`` with any leading axes, or weights of any graphs: rows need
            not sum to 1 (`maps.check_maps` checks that).
        laplacian: The operator: sym, comb, rw, directed or adjacency.
        symmetrise: How a map becomes symmetric: mean, max, or none (adjacency only).
        self_loops: Whether the diagonal stays in the weights and the degrees.
        clip: Weights below it become 0.

    Returns:
        Eigenvalues; of ``adjacency`` with ``symmetrise=none`` their magnitudes.

    Raises:
        InputError: If maps are not square, not finite or negative, or an option is not valid.
    """
    with refused_values():
        options = GraphOptions(
            laplacian=laplacian,  # type: ignore[arg-type]
            symmetrise=symmetrise,  # type: ignore[arg-type]
            self_loops=self_loops,
            clip=clip,
        )
    return spectrum(graph_of(usable(attention), options), options).values


def spectrum(graph: Graph, options: GraphOptions, *, with_vectors: bool = False) -> Spectrum:
    """The full spectrum of each graph.

    Raises:
        InputError: If eigenvectors are asked of an operator that is not symmetric, or while the
            weights require a gradient: it divides by differences of eigenvalues and explodes.
    """
    if is_triangular(options):
        if with_vectors:
            raise InputError(f"{options.laplacian.value} has no orthonormal eigenvectors; use sym")
        return _spectrum_of_map(graph, options)
    matrix = above_tokens(symmetric_operator(graph, options.laplacian), graph)
    vectors = None
    if with_vectors:
        if matrix.requires_grad:
            raise InputError(
                "no gradient through eigenvectors; use smoothness, heat_trace or fiedler, or "
                "torch.no_grad()"
            )
        values, vectors = torch.linalg.eigh(matrix)
    else:
        values = torch.linalg.eigvalsh(matrix)
    if options.laplacian.is_symmetric_laplacian:
        values = values.clamp(min=0)  # negative by rounding only
    return Spectrum(values, graph.is_among_first, vectors)


def is_triangular(options: GraphOptions) -> bool:
    """Whether the operator is that of the map itself, not of symmetric weights."""
    return options.laplacian is LaplacianKind.directed or options.symmetrise is Symmetrise.none


def operator(graph: Graph, laplacian: LaplacianKind) -> Float[Tensor, "*graphs tokens tokens"]:
    """The matrix of an operator as it is defined; ``rw`` and ``directed`` are not symmetric."""
    if laplacian is LaplacianKind.rw:
        scale = _power(graph.degrees, -1.0)
        return scale[..., None] * (torch.diag_embed(graph.degrees) - graph.weights)
    return symmetric_operator(graph, laplacian)


def symmetric_operator(
    graph: Graph, laplacian: LaplacianKind
) -> Float[Tensor, "*graphs tokens tokens"]:
    """The matrix that is decomposed: that of ``sym`` for ``rw``, which is similar to it."""
    if laplacian is LaplacianKind.adjacency:
        return graph.weights
    if laplacian in {LaplacianKind.comb, LaplacianKind.directed}:
        matrix, diagonal = -graph.weights, graph.degrees
    else:
        scale = inverse_root_degrees(graph)
        # The two scales are multiplied first: (s_i W_ij) s_j differs from (s_j W_ji) s_i by a bit.
        matrix = graph.weights * (-scale[..., :, None] * scale[..., None, :])
        diagonal = (graph.degrees > 0).to(matrix.dtype)
    matrix.diagonal(dim1=-2, dim2=-1).add_(diagonal)
    return matrix


def root_degrees(graph: Graph) -> Float[Tensor, "*graphs tokens"]:
    """D^1/2, to which the eigenvector of ``sym`` with eigenvalue 0 is proportional."""
    return _power(graph.degrees, 0.5)


def inverse_root_degrees(graph: Graph) -> Float[Tensor, "*graphs tokens"]:
    """D^-1/2, 0 where the degree is."""
    return _power(graph.degrees, -0.5)


def above_tokens(
    matrix: Float[Tensor, "*graphs tokens tokens"], graph: Graph
) -> Float[Tensor, "*graphs tokens tokens"]:
    """The operator with an eigenvalue above all others for every padded token."""
    if graph.is_token is None:
        return matrix
    bound = matrix.detach().abs().sum(-1).amax(-1, keepdim=True) + 1  # Gershgorin's, and more
    return matrix + torch.diag_embed(torch.where(graph.is_token, 0.0, bound))


def _power(degrees: Tensor, exponent: float) -> Tensor:
    """A power of the degrees, 0 where the degree is 0, with gradients that are finite there."""
    is_connected = degrees > 0
    safe = torch.where(is_connected, degrees, torch.ones_like(degrees))
    return torch.where(is_connected, safe**exponent, torch.zeros_like(degrees))


def _spectrum_of_map(graph: Graph, options: GraphOptions) -> Spectrum:
    own = graph.weights.diagonal(dim1=-2, dim2=-1)
    if options.laplacian is LaplacianKind.directed:
        found = graph.degrees - own
    elif is_causal(graph.weights):
        found = own.abs()  # a triangular matrix has its eigenvalues on the diagonal
    else:
        found = torch.linalg.eigvals(above_tokens(graph.weights, graph)).abs()
        return Spectrum(found.sort(-1).values, graph.is_among_first)
    if graph.is_token is not None:
        beyond = found.detach().amax(-1, keepdim=True) + 1
        found = torch.where(graph.is_token, found, beyond)
    return Spectrum(found.sort(-1).values, graph.is_among_first)
