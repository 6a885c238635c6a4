"""Hybrid metrics: where in the spectrum of a graph the energy of a signal lies.

u_k are orthonormal eigenvectors over the full basis, E_k = |u_k' X|^2, p_k = E_k / sum E. They read
the states, and are to be compared with probes of states.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.eigenvalue_metrics import TOLERANCE, Masked, always, entropy, ratio
from physlm.analysis.spectra.graph import Graph
from physlm.analysis.spectra.laplacians import Spectrum, root_degrees, symmetric_operator
from physlm.analysis.spectra.metric_options import SHARES, MetricOptions
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


def energy_spectrum(
    spectrum: Spectrum, energies: Float[Tensor, "*#graphs tokens"]
) -> EnergySpectrum:
    """Energies beside the eigenvalues of their modes; one graph may have several signals."""
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


def form_metrics(form: Float[Tensor, "*graphs"], signal: Signal) -> dict[str, Masked]:
    """Energy and smoothness.

    Smoothness is energy over tr(X' X), the mean of lambda under p: large values are rough. It is 0
    if there is no signal.
    """
    total = signal.squares.sum(-1).expand_as(form)
    return {"energy": always(form), "smoothness": always(ratio(form, total).values)}


def mass_metrics(
    found: EnergySpectrum, signal: Signal, options: MetricOptions
) -> dict[str, Masked]:
    """How energy is spread over modes, and what follows from it, by name."""
    n = found.is_value.sum(-1).to(found.values.dtype)
    spread = entropy(found.energies)
    return {
        "spectral_entropy": always(spread),
        "spectral_entropy_normalised": always(spread / n.log()),
        "hfer": _high_share(found, options),
        "hfer_half_max": share_above(found, found.largest / 2),
        **{f"hfer_index_{share}": upper_share(found, share) for share in SHARES},
        **form_metrics(found.form, signal),
    }


def _high_share(found: EnergySpectrum, options: MetricOptions) -> Masked:
    """The fraction of energy above the cut that the options name."""
    if options.hfer_cut == "half_max":
        return share_above(found, found.largest / 2)
    if options.hfer_cut == "above_one":
        return share_above(found, torch.ones_like(found.largest))
    return upper_share(found, options.hfer_share)


def share_above(found: EnergySpectrum, cut: Float[Tensor, "*graphs"]) -> Masked:
    """The fraction of energy above an eigenvalue; eigenvalues equal to it are not above."""
    least = cut + TOLERANCE * found.largest
    return ratio((found.energies * (found.values > least[..., None])).sum(-1), found.total)


def upper_share(found: EnergySpectrum, share: float) -> Masked:
    """The fraction of energy in the upper modes, which are ``share`` of all.

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
