"""Metrics of the eigenvalues alone: they depend on attention only, not on states.

lambda_1 <= ... <= lambda_T; logarithms are natural.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.laplacians import Spectrum

TOLERANCE = 1e-6  # of the largest eigenvalue: closer eigenvalues count as equal
_BIN_EDGES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)


class Masked(NamedTuple):
    """A metric of many graphs.

    Attributes:
        values: Value of each graph; 0 where it is undefined.
        is_defined: Whether it is defined.
    """

    values: Float[Tensor, "*graphs"]
    is_defined: Bool[Tensor, "*graphs"]


@dataclass(frozen=True, slots=True)
class Extremes:
    """The ends of a spectrum; the upper one only if it was asked for."""

    first: Float[Tensor, "*graphs"]
    second: Float[Tensor, "*graphs"]
    largest: Float[Tensor, "*graphs"] | None


def extremes_of(spectrum: Spectrum) -> Extremes:
    """The ends of a spectrum that is known as a whole."""
    return Extremes(spectrum.values[..., 0], spectrum.values[..., 1], spectrum.largest)


def always(values: Float[Tensor, "*graphs"]) -> Masked:
    """A metric that is defined for every graph."""
    return Masked(values, torch.ones_like(values, dtype=torch.bool))


def ratio(part: Float[Tensor, "*graphs"], whole: Float[Tensor, "*graphs"]) -> Masked:
    """A ratio, not defined where the whole is 0."""
    is_defined = whole > 0
    safe = torch.where(is_defined, whole, torch.ones_like(whole))
    return Masked(torch.where(is_defined, part / safe, torch.zeros_like(part)), is_defined)


def entropy(parts: Float[Tensor, "*graphs tokens"]) -> Float[Tensor, "*graphs"]:
    """Entropy in nats of nonnegative parts, normalised to sum to 1; 0 if all are 0."""
    shares = ratio(parts, parts.sum(-1, keepdim=True).expand_as(parts)).values
    terms: Tensor = torch.special.entr(shares)
    return terms.sum(-1)


def extreme_metrics(ends: Extremes) -> dict[str, Masked]:
    """Metrics of the ends of a spectrum, by name."""
    found = {"fiedler": always(ends.second), "spectral_gap": always(ends.second - ends.first)}
    if ends.largest is not None:
        found["lambda_max"] = always(ends.largest)
        found["connectivity_ratio"] = ratio(ends.second, ends.largest)
    return found


def eigenvalue_metrics(betas: tuple[float, ...]) -> dict[str, Callable[[Spectrum], Masked]]:
    """Metrics of all eigenvalues, by name; those of a beta other than 1 end in ``/beta_X``."""
    thermal = {"heat_trace": heat_trace, "free_energy": free_energy, "heat_capacity": heat_capacity}
    found = {
        name + ("" if beta == 1 else f"/beta_{beta:g}"): _at(metric, beta)
        for name, metric in thermal.items()
        for beta in betas
    }
    return {
        "eigenvalue_entropy": lambda spectrum: always(entropy(_tokens(spectrum))),
        "eigenvalue_entropy_normalised": lambda spectrum: always(
            entropy(_tokens(spectrum)) / spectrum.n.log()
        ),
        "eig_hfer": upper_half,
        "n_components": n_components,
        "spacing_ratio": spacing_ratio,
    } | found


def upper_half(spectrum: Spectrum) -> Masked:
    """The sum of the upper half of the eigenvalues (k >= T // 2, from 0) over that of all."""
    index = torch.arange(spectrum.values.shape[-1], device=spectrum.values.device)
    upper = index >= spectrum.is_value.sum(-1, keepdim=True) // 2
    values = _tokens(spectrum)
    return ratio((values * upper).sum(-1), values.sum(-1))


def n_components(spectrum: Spectrum) -> Masked:
    """How many eigenvalues are 0, up to T eps lambda_T: the connected components.

    An absolute threshold would count wrongly in fp32.
    """
    eps = torch.finfo(spectrum.values.dtype).eps
    least = spectrum.n * eps * spectrum.largest
    is_zero = (spectrum.values <= least[..., None]) & spectrum.is_value
    return always(is_zero.sum(-1).to(spectrum.values.dtype))


def spacing_ratio(spectrum: Spectrum) -> Masked:
    """The mean of min/max of neighbouring gaps: 0.386 without repulsion, 0.531 for random matrices.

    Gaps between equal eigenvalues are 0, and two of them have no ratio.
    """
    gaps = spectrum.values.diff(dim=-1)
    gaps = torch.where(gaps > TOLERANCE * spectrum.largest[..., None], gaps, torch.zeros_like(gaps))
    low, high = (
        torch.minimum(gaps[..., 1:], gaps[..., :-1]),
        torch.maximum(gaps[..., 1:], gaps[..., :-1]),
    )
    has_ratio = (high > 0) & spectrum.is_value[..., 2:]
    each = ratio(low, high).values * has_ratio
    return ratio(each.sum(-1), has_ratio.sum(-1).to(each.dtype))


def heat_trace(spectrum: Spectrum, beta: float) -> Masked:
    """Z = sum_k exp(-beta lambda_k)."""
    return always(_log_partition(spectrum, beta).exp())


def free_energy(spectrum: Spectrum, beta: float) -> Masked:
    """-ln Z / beta."""
    return always(-_log_partition(spectrum, beta) / beta)


def heat_capacity(spectrum: Spectrum, beta: float) -> Masked:
    """beta^2 times the variance of lambda under weights exp(-beta lambda) / Z."""
    weights = _exponents(spectrum, beta).softmax(-1)
    mean = (weights * spectrum.values).sum(-1, keepdim=True)
    return always(beta**2 * (weights * (spectrum.values - mean).square()).sum(-1))


def adjacency_metrics(spectrum: Spectrum) -> dict[str, Masked]:
    """Radius, variance and histogram of the magnitudes |mu| of an adjacency spectrum.

    The histogram gives fractions of eigenvalues: bin 0 below 0.125, then from 0.125, 0.25, 0.5, 1,
    2, and bin 6 from 4 on.
    """
    sizes = spectrum.values.abs() * spectrum.is_value
    n = spectrum.n
    mean = sizes.sum(-1) / n
    apart = (sizes - mean[..., None]) * spectrum.is_value
    edges = torch.tensor(_BIN_EDGES, dtype=sizes.dtype, device=sizes.device)
    bins = torch.bucketize(sizes.detach().contiguous(), edges, right=True)
    found = {"adjacency_radius": sizes.amax(-1), "adjacency_variance": apart.square().sum(-1) / n}
    for i in range(len(_BIN_EDGES) + 1):
        found[f"adjacency_histogram/bin_{i}"] = ((bins == i) & spectrum.is_value).sum(-1) / n
    return {name: always(values) for name, values in found.items()}


def _tokens(spectrum: Spectrum) -> Tensor:
    return torch.where(spectrum.is_value, spectrum.values, torch.zeros_like(spectrum.values))


def _exponents(spectrum: Spectrum, beta: float) -> Tensor:
    return (-beta * spectrum.values).masked_fill(~spectrum.is_value, -torch.inf)


def _log_partition(spectrum: Spectrum, beta: float) -> Tensor:
    return _exponents(spectrum, beta).logsumexp(-1)


def _at(metric: Callable[[Spectrum, float], Masked], beta: float) -> Callable[[Spectrum], Masked]:
    return lambda spectrum: metric(spectrum, beta)
