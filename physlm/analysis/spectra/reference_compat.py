"""The published computations with their faults, to reproduce published numbers; never a default.

Each function says which faults it has. Names of results begin with ``reference_compat/``, to stand
beside corrected values: only `published` imports from here.

Source:
    Noel (2026), Geometry of Reason, with its released code and data; practitioners' write-ups.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from physlm.analysis.spectra.eigenvalue_metrics import entropy, ratio
from physlm.analysis.spectra.maps import usable
from physlm.errors import InputError

_KEPT = 25  # modes at each end, of graphs with more than twice as many tokens
_TOP_SHARE = 0.1  # of the kept modes
_N_THRESHOLDS = 50


def reference_metrics(
    attention: Float[Tensor, "*layers heads queries keys"],
    residual: Float[Tensor, "*layers tokens width"],
) -> dict[str, Float[Tensor, "*layers"]]:
    """Fiedler value, energy fraction, smoothness and entropy as they were published.

    Faults: heads are averaged; L = I - D^-1 W with self loops is not symmetric and goes to a
    symmetric solver, which reads its lower triangle; negative eigenvalues become 0; above 50 tokens
    only 25 + 25 modes are kept, and fractions are of these, so all of them jump there; the signal
    is raw (give ``hidden_states`` of transformers, the last of which is normed).

    Args:
        attention: Maps ``[..., H, T, T]``.
        residual: States ``[..., T, d]``.
    """
    mean = usable(attention).mean(-3)
    weights = (mean + mean.mT) / 2
    eye = torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)
    values, vectors = torch.linalg.eigh(eye - _rows_scaled(weights), UPLO="L")
    values, kept = values.clamp(min=0), _kept(mean.shape[-1])
    values, vectors = values[..., kept], vectors[..., kept]
    energies = (vectors.mT @ residual.to(mean.dtype)).square().sum(-1)
    shares = _rows_scaled(energies)
    first = math.floor((1 - _TOP_SHARE) * len(kept) + 1e-9)
    return {
        "reference_compat/fiedler": values[..., 1],
        "reference_compat/hfer": shares[..., first:].sum(-1),
        "reference_compat/smoothness": (values * shares).sum(-1),
        "reference_compat/spectral_entropy": entropy(energies),
    }


def reference_gap(attention: Float[Tensor, "*maps queries keys"]) -> Float[Tensor, "*maps"]:
    """The difference of the two smallest eigenvalues of I - A, as the write-up has it.

    Faults: A is not symmetric and goes to a symmetric solver, which sees I - (A + A' - diag A): the
    edges of one graph with the degrees of another. It is no Laplacian and has negative eigenvalues.
    """
    maps = _rows_scaled(usable(attention))
    eye = torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)
    values: Tensor = torch.linalg.eigvalsh(eye - maps, UPLO="L")
    return values[..., 1] - values[..., 0]


def reference_effect_size(
    valid: Float[np.ndarray, " valid"], invalid: Float[np.ndarray, " invalid"]
) -> float:
    """Cohen's d with one fault: population variances, pooled by the weights n - 1.

    Raises:
        InputError: If the values of neither group differ.
    """
    weights = np.array([len(valid) - 1, len(invalid) - 1])
    pooled = np.sqrt(np.average([valid.var(), invalid.var()], weights=weights))
    if not pooled > 0:
        raise InputError("both groups are constant; Cohen's d needs values that differ")
    return float((valid.mean() - invalid.mean()) / pooled)


def reference_accuracy(
    valid: Float[np.ndarray, " valid"], invalid: Float[np.ndarray, " invalid"]
) -> float:
    """The best accuracy of 50 thresholds and both directions, on the texts that chose them."""
    values = np.concatenate([valid, invalid])
    is_valid = np.arange(len(values)) < len(valid)
    thresholds = np.percentile(values, np.linspace(0, 100, _N_THRESHOLDS))
    right = [np.mean((values < threshold) == is_valid) for threshold in thresholds]
    return float(max(*right, *(1 - share for share in right)))


def _rows_scaled(values: Tensor) -> Tensor:
    """Rows that sum to 1, or are 0."""
    return ratio(values, values.sum(-1, keepdim=True).expand_as(values)).values


def _kept(size: int) -> list[int]:
    """The modes that were kept."""
    if size <= 2 * _KEPT:
        return list(range(size))
    return [*range(_KEPT), *range(size - _KEPT, size)]
