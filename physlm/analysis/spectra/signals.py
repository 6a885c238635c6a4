"""Residual streams as signals on the graph of tokens."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.options import SignalKind
from physlm.errors import InputError, refused_values
from physlm.schema import converted


def signal_of(
    residual: Float[Tensor, "*texts tokens width"],
    kind: SignalKind | str = SignalKind.rms,
    is_token: Bool[Tensor, "*#texts tokens"] | None = None,
) -> Float[Tensor, "*texts tokens width"]:
    """The signal X of each text, 0 at padding.

    Args:
        residual: Output of a block, before the final norm: the last of ``hidden_states`` of
            transformers is normed, and not comparable with the others.
        kind: rms, raw or centred.
        is_token: False at padding and at tokens that are not in the graph.

    Raises:
        InputError: If a value is not finite.
    """
    with refused_values():
        how = converted(kind, SignalKind, "signal")
    if is_token is not None:
        residual = torch.where(is_token[..., None], residual, torch.zeros_like(residual))
    if not residual.isfinite().all():
        raise InputError("the residual stream is not finite; run the model in fp32 or bf16")
    if how is SignalKind.raw:
        return residual
    if how is SignalKind.centred:
        return _centred(residual, is_token)
    # The largest coordinate is divided out first, so that squares neither overflow nor vanish.
    largest = residual.abs().amax(-1, keepdim=True)
    unit = residual / torch.where(largest > 0, largest, torch.ones_like(largest))
    size = unit.square().mean(-1, keepdim=True).sqrt()
    return unit / torch.where(size > 0, size, torch.ones_like(size))


def _centred(residual: Tensor, is_token: Tensor | None) -> Tensor:
    if is_token is None:
        return residual - residual.mean(-2, keepdim=True)
    marks = is_token[..., None]
    mean = residual.sum(-2, keepdim=True) / marks.sum(-2, keepdim=True)
    return torch.where(marks, residual - mean, torch.zeros_like(residual))
