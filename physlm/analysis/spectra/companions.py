"""Companions of the spectra: attention entropy, and mass on self, sink and previous token.

They are reported beside the spectral metrics, which often restate one of them.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.eigenvalue_metrics import Masked, ratio


def companions(
    attention: Float[Tensor, "*maps tokens tokens"],
    is_token: Bool[Tensor, "*#maps tokens"],
    is_row: Bool[Tensor, "*#maps tokens"],
) -> dict[str, Masked]:
    """Means over queries of entropy (nats) and attention masses, from whole rows of the map.

    Args:
        attention: Maps; values at padding do not count.
        is_token: False at padding. The sink is the first token of the text.
        is_row: Queries to average over: those in the graph.
    """
    is_token = is_token.expand(attention.shape[:-1])
    is_row = is_row.expand(attention.shape[:-1])
    first = is_token.int().argmax(-1)[..., None, None].expand(*attention.shape[:-1], 1)
    has_previous = is_row[..., 1:] & is_token[..., :-1]
    entropies = torch.special.entr(attention)
    return {
        "row_entropy": _mean(entropies.sum(-1), is_row),
        "self_mass": _mean(attention.diagonal(dim1=-2, dim2=-1), is_row),
        "sink_mass": _mean(attention.gather(-1, first)[..., 0], is_row),
        "previous_token_mass": _mean(attention.diagonal(-1, -2, -1), has_previous),
    }


def _mean(values: Tensor, where: Tensor) -> Masked:
    zero = torch.zeros_like(values)
    return ratio(torch.where(where, values, zero).sum(-1), where.sum(-1).to(values.dtype))
