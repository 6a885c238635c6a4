"""Residual streams as signals on the graph of tokens."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.options import SignalKind
from physlm.errors import InputError, refused_values
from physlm.schema import converted


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal X, each token of which is a state times a number.

    Attributes:
        states: Vectors of tokens, 0 at padding.
        scale: What each of them is multiplied by.
        squares: |x_t|^2 of the scaled vectors.
    """

    states: Float[Tensor, "*texts tokens width"]
    scale: Float[Tensor, "*graphs tokens"]
    squares: Float[Tensor, "*graphs tokens"]

    @property
    def values(self) -> Float[Tensor, "*graphs tokens width"]:
        """X."""
        return self.states * self.scale[..., None]

    def scaled(self, by: Float[Tensor, "*graphs tokens"]) -> "Signal":
        """The signal with every token multiplied by a number of its own."""
        return Signal(self.states, self.scale * by, self.squares * by.square())


def signal_of(
    residual: Float[Tensor, "*texts tokens width"],
    kind: SignalKind | str = SignalKind.rms,
    is_token: Bool[Tensor, "*#texts tokens"] | None = None,
) -> Signal:
    """The signal of each text, 0 at padding.

    Args:
        residual: Output of a block, before the final norm: the last of ``hidden_states`` of
            transformers is normed, and not comparable with the others.
        kind: rms, raw or centred.
        is_token: False at padding and at tokens that are not in the graph.

    Raises:
        InputError: If a value is not finite, or its square is not.
    """
    with refused_values():
        how = converted(kind, SignalKind, "signal")
    if is_token is not None:
        residual = torch.where(is_token[..., None], residual, torch.zeros_like(residual))
    if how is SignalKind.centred:
        residual = _centred(residual, is_token)
    squares = torch.linalg.vector_norm(residual, dim=-1).square()
    if not squares.isfinite().all():
        raise InputError("the residual stream is not finite, or too large; run the model in fp32")
    if how is SignalKind.rms:
        is_zero = squares == 0
        scale = (residual.shape[-1] / torch.where(is_zero, 1, squares)).sqrt()
        return Signal(residual, scale, (~is_zero).to(squares.dtype) * residual.shape[-1])
    return Signal(residual, torch.ones_like(squares), squares)


def _centred(residual: Tensor, is_token: Tensor | None) -> Tensor:
    if is_token is None:
        return residual - residual.mean(-2, keepdim=True)
    marks = is_token[..., None]
    mean = residual.sum(-2, keepdim=True) / marks.sum(-2, keepdim=True)
    return torch.where(marks, residual - mean, torch.zeros_like(residual))
