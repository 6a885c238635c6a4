"""Operators of attention graphs, and their eigenvalues and eigenvectors.

Every matrix that is decomposed here is symmetric to the last bit: solvers of symmetric matrices
read one triangle only, and silently give wrong values for any other matrix.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.graph import Graph, graph_of, is_causal
from physlm.analysis.spectra.maps import usable
from physlm.analysis.spectra.options import GraphOptions, LaplacianKind, Symmetrise
from physlm.analysis.spectra.signals import Signal
from physlm.errors import InputError, refused_values


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Eigenvalues of each graph, ascending.

    Attributes:
        values: Those of tokens, then one per padded token, larger and meaningless.
        is_value: False at those of padded tokens.
    """

    values: Float[Tensor, "*graphs tokens"]
    is_value: Bool[Tensor, "*graphs tokens"]

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
        symmetrise: How a map becomes symmetric: mean, max, or none (adjacency with loops only).
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


def spectrum(graph: Graph, options: GraphOptions) -> Spectrum:
    """All eigenvalues of each graph."""
    if is_triangular(options):
        return _spectrum_of_map(graph, options)
    parts = [
        torch.linalg.eigvalsh(above_tokens(symmetric_operator(part, options.laplacian), part))
        for part in graph.parts()
    ]
    return Spectrum(_not_negative(_joined(parts), options), graph.is_among_first)


def spectrum_and_energies(
    graph: Graph, options: GraphOptions, signal: Signal
) -> tuple[Spectrum, Float[Tensor, "*#graphs tokens"]]:
    """All eigenvalues of each graph, and the energy E_k = |u_k' X|^2 of a signal in each mode.

    Eigenvectors, of ``sym`` for ``rw``, are over the full basis, and are not kept.

    Raises:
        InputError: If the weights require a gradient: through eigenvectors it divides by
            differences of eigenvalues and explodes.
    """
    if graph.weights.requires_grad:
        raise InputError(
            "no gradient through eigenvectors; use smoothness, heat_trace or fiedler, or "
            "torch.no_grad()"
        )
    is_shared = signal.states.ndim != graph.weights.ndim or len(signal.states) != len(graph.weights)
    parts = [graph] if is_shared else list(graph.parts())
    signals = [signal] if len(parts) == 1 else signal.split(parts[0].degrees.shape[0])
    values, energies = [], []
    for part, own in zip(parts, signals, strict=True):
        matrix = above_tokens(symmetric_operator(part, options.laplacian), part)
        found, vectors = torch.linalg.eigh(matrix.mT)  # its layout saves the solver a copy
        scaled = vectors * own.scale[..., None]  # smaller than X, since d > T is usual
        sizes: Tensor = torch.linalg.vector_norm(scaled.mT @ own.states, dim=-1)
        values.append(found)
        energies.append(sizes.square())
    whole = Spectrum(_not_negative(_joined(values), options), graph.is_among_first)
    return whole, _joined(energies) * whole.is_value


def is_triangular(options: GraphOptions) -> bool:
    """Whether the operator is that of the map itself, not of symmetric weights."""
    return options.laplacian is LaplacianKind.directed or options.symmetrise is Symmetrise.none


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
    """D^-1/2; 0 where the degree is 0."""
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


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _not_negative(values: Tensor, options: GraphOptions) -> Tensor:
    """Eigenvalues of Laplacians, which are negative by rounding only."""
    return values.clamp(min=0) if options.laplacian.is_symmetric_laplacian else values


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
