"""Hybrid metrics: where in the spectrum of a graph the energy of a signal lies.

u_k are orthonormal eigenvectors over the full basis, E_k = |u_k' X|^2, p_k = E_k / sum E. They read
the states, and are to be compared with probes of states.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.eigenvalue_metrics import TOLERANCE, Masked, always, entropy, ratio
from physlm.analysis.spectra.graph import Graph
from physlm.analysis.spectra.laplacians import Spectrum, root_degrees, symmetric_operator
from physlm.analysis.spectra.metric_options import SHARES
from physlm.analysis.spectra.options import LaplacianKind
from physlm.analysis.spectra.signals import Signal


@dataclass(frozen=True, slots=True)
class EnergySpectrum:
    """The energy of a signal in each mode."""

    values: Float[Tensor, "*graphs tokens"]
    energies: Float[Tensor, "*graphs tokens"]
    is_value: Bool[Tensor, "*graphs tokens"]
    largest: Float[Tensor, "*graphs"]

    @property
    def form(self) -> Float[Tensor, "*graphs"]:
        """tr(X' L X), the sum of lambda_k E_k."""
        return (self.values * self.energies).sum(-1)

    @property
    def total(self) -> Float[Tensor, "*graphs"]:
        """The energy of the signal."""
        return self.energies.sum(-1)


def energy_spectrum(spectrum: Spectrum, signal: Signal) -> EnergySpectrum:
    """Project a signal, weighted as `weighted_signal` says, on the eigenvectors."""
    assert spectrum.vectors is not None
    scaled = spectrum.vectors * signal.scale[..., None]  # smaller than X, of which d > T is usual
    sizes: Tensor = torch.linalg.vector_norm(scaled.mT @ signal.states, dim=-1)
    energies = sizes.square() * spectrum.is_value
    values = torch.where(spectrum.is_value, spectrum.values, torch.zeros_like(spectrum.values))
    return EnergySpectrum(
        values.expand_as(energies),
        energies,
        spectrum.is_value.expand_as(energies),
        spectrum.largest.expand_as(energies[..., 0]),
    )


def weighted_signal(signal: Signal, graph: Graph, laplacian: LaplacianKind) -> Signal:
    """The signal whose masses under ``sym`` are those of the given one: D^1/2 X for ``rw``.

    The eigenvectors of ``rw`` are orthonormal in the inner product of D.
    """
    return signal.scaled(root_degrees(graph)) if laplacian is LaplacianKind.rw else signal


def energy(graph: Graph, signal: Signal, laplacian: LaplacianKind) -> Float[Tensor, "*graphs"]:
    """tr(X' L X), without a solver; of ``comb`` half the sum of W_ij |x_i - x_j|^2."""
    values = signal.values
    return ((symmetric_operator(graph, laplacian) @ values) * values).sum((-2, -1)).clamp(min=0)


def smoothness(rough: Float[Tensor, "*graphs"], signal: Signal) -> Masked:
    """Energy over tr(X' X), the mean of lambda under p: large values are rough; 0 for no signal."""
    return always(ratio(rough, signal.squares.sum(-1).expand_as(rough)).values)


MASS_METRICS: dict[str, Callable[[EnergySpectrum], Masked]] = {
    "spectral_entropy": lambda found: always(entropy(found.energies)),
    "spectral_entropy_normalised": lambda found: always(
        entropy(found.energies) / found.is_value.sum(-1).to(found.values.dtype).log()
    ),
    "hfer": lambda found: share_above(found, torch.ones_like(found.largest)),
    "hfer_half_max": lambda found: share_above(found, found.largest / 2),
} | {
    f"hfer_index_{share}": lambda found, share=share: upper_share(found, share) for share in SHARES
}


def share_above(found: EnergySpectrum, cut: Float[Tensor, "*graphs"]) -> Masked:
    """The share of energy above an eigenvalue; eigenvalues equal to it are not above."""
    least = cut + TOLERANCE * found.largest
    return ratio((found.energies * (found.values > least[..., None])).sum(-1), found.total)


def upper_share(found: EnergySpectrum, share: float) -> Masked:
    """The energy share of the upper modes, ``share`` of all.

    If the cut falls among equal eigenvalues, whose vectors are up to the solver, their energy is
    split evenly.
    """
    n = found.is_value.sum(-1, keepdim=True)
    first = ((1 - share) * n.double() + 1e-9).floor().long()
    index = torch.arange(found.values.shape[-1], device=found.values.device)
    apart = (found.values - found.values.gather(-1, first)).abs()
    is_equal = (apart <= TOLERANCE * found.largest[..., None]) & found.is_value
    is_upper = (index >= first) & found.is_value
    split = (is_equal & is_upper).sum(-1).to(found.values.dtype) / is_equal.sum(-1)
    upper = (found.energies * (is_upper & ~is_equal)).sum(-1)
    return ratio(upper + split * (found.energies * is_equal).sum(-1), found.total)
