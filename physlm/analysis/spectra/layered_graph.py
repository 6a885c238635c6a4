"""LapEigvals: eigenvalues of directed attention graphs, read off the diagonal.

Tokens of all layers are nodes. Token t of a layer has edges to later tokens of the layer, weighted
by the attention they pay to it, and one upwards to itself in the next layer, weighted by its own
attention there. Self loops exist in layer 0 only. Out-degrees are divided by the number of edges.
The Laplacian diag(degree) - A is triangular, so that no solver is needed.

Source:
    Binkowski et al. (2025), Hallucination Detection in LLMs Using Spectral Features of Attention
    Maps, with the edges between layers of their released features.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from physlm.analysis.spectra.graph import is_causal
from physlm.analysis.spectra.maps import usable
from physlm.errors import InputError


def directed_eigenvalues(
    attention: Float[Tensor, "*texts layers heads queries keys"],
) -> Float[Tensor, "*texts layers heads keys"]:
    """The eigenvalue of each token, in the order of tokens.

    Raises:
        InputError: If there is one layer, or if maps are not usable or not causal.
    """
    n_layers = attention.shape[-4]
    if n_layers < 2:
        raise InputError("LapEigvals needs two or more layers, and these are maps of one layer")
    return joined_layers(*received_and_own(attention))


def received_and_own(
    attention: Float[Tensor, "*maps queries keys"],
) -> tuple[Float[Tensor, "*maps keys"], Float[Tensor, "*maps keys"]]:
    """The attention that each token receives from later ones and pays to itself.

    Raises:
        InputError: If maps are not usable or not causal.
    """
    attention = usable(attention)
    if not is_causal(attention):
        raise InputError(
            "LapEigvals needs causal maps, and these attend to later tokens; give those of a "
            "causal model"
        )
    own = attention.diagonal(dim1=-2, dim2=-1)
    return attention.sum(-2) - own, own


def joined_layers(
    received: Float[Tensor, "*texts layers heads keys"],
    own: Float[Tensor, "*texts layers heads keys"],
) -> Float[Tensor, "*texts layers heads keys"]:
    """The eigenvalues from what `received_and_own` found in each of two or more layers."""
    size = own.shape[-1]
    later = torch.arange(size - 1, -1, -1, dtype=own.dtype, device=own.device)
    first = (received[..., 0, :, :] + own[..., 0, :, :] + own[..., 1, :, :]) / (later + 2)
    inner = (received[..., 1:-1, :, :] + own[..., 2:, :, :]) / (later + 1)
    last = received[..., -1, :, :] / later.clamp(min=1)  # the last token receives nothing: 0
    parts = [(first - own[..., 0, :, :])[..., None, :, :], inner, last[..., None, :, :]]
    return torch.cat(parts, dim=-3)


def lap_eigvals(
    attention: Float[Tensor, "*texts layers heads queries keys"], top_k: int = 10
) -> Float[Tensor, "*texts features"]:
    """The largest eigenvalues of every layer and head, descending, as one vector per text.

    Args:
        attention: Causal maps of all layers, ``[..., L, H, T, T]``.
        top_k: Eigenvalues per head.

    Raises:
        InputError: If a text has fewer tokens than ``top_k``, or for the reasons of
            `directed_eigenvalues`.
    """
    if not 1 <= top_k <= attention.shape[-1]:
        raise InputError(
            f"top_k={top_k}; must be from 1 to {attention.shape[-1]}, the number of tokens"
        )
    return directed_eigenvalues(attention).topk(top_k, dim=-1).values.flatten(-3)
