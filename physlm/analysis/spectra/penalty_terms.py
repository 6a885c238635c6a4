"""Differentiable measures of attention maps: smoothness, heat trace, Fiedler value, entropy."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.laplacians import symmetric_operator
from physlm.analysis.spectra.options import GraphOptions, LaplacianKind
from physlm.analysis.spectra.penalty import PenaltyKind
from physlm.models.penalty import Penalty
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.analysis.spectra.penalty import AttentionPenaltyConfig


class AttentionPenalty(Penalty):
    """The term of one layer; see ``AttentionPenaltyConfig``.

    Args:
        config: What is measured.
        seq_len: Longest window.
        seed: Seed of the permutation.
    """

    def __init__(self, config: "AttentionPenaltyConfig", seq_len: int, seed: int) -> None:
        self.weight, self.kind = config.weight, config.kind
        self.ranks: Tensor | None = None
        if config.permuted:
            drawn = stream(seed, "permuted maps").random(seq_len)
            self.ranks = torch.from_numpy(drawn)

    def __call__(
        self,
        patterns: Float[Tensor, "batch heads seq seq"],
        residual: Float[Tensor, "batch seq width"],
    ) -> Float[Tensor, ""]:
        """The mean over windows and heads."""
        if self.kind is PenaltyKind.entropy:
            return _entropy(patterns)
        if self.ranks is not None:
            patterns = _permuted(patterns, self.ranks[: patterns.shape[-1]].argsort())
        laplacian = symmetric_operator(graph_of(patterns, GraphOptions()), LaplacianKind.sym)
        if self.kind is PenaltyKind.smoothness:
            return _smoothness(laplacian, residual)
        eigenvalues = torch.linalg.eigvalsh(laplacian)
        if self.kind is PenaltyKind.fiedler:
            fiedler: Tensor = eigenvalues[..., 1].mean()
            return fiedler
        heat: Tensor = (-eigenvalues).exp().mean()
        return heat


def _smoothness(
    laplacian: Float[Tensor, "batch heads seq seq"], residual: Float[Tensor, "batch seq width"]
) -> Float[Tensor, ""]:
    # The floor keeps the gradient of a token whose state is 0 finite.
    power = residual.square().mean(-1, keepdim=True)
    signal = (residual * (power + torch.finfo(residual.dtype).tiny).rsqrt())[:, None]
    energy = ((laplacian @ signal) * signal).sum((-2, -1))
    return (energy / signal.square().sum((-2, -1))).mean()


def _entropy(patterns: Float[Tensor, "batch heads seq seq"]) -> Float[Tensor, ""]:
    """Entropy of each row over the logarithm of the tokens it sees; the first row sees one."""
    n_seen = torch.arange(1, patterns.shape[-1] + 1, device=patterns.device)
    # Masked weights are exactly 0; the floor keeps their gradient finite, and adds nothing.
    floored = patterns.clamp(min=torch.finfo(patterns.dtype).tiny)
    entropy = -(patterns * floored.log()).sum(-1)
    return (entropy[..., 1:] / n_seen[1:].log()).mean()


def _permuted(
    patterns: Float[Tensor, "batch heads seq seq"], order: Int[Tensor, " seq"]
) -> Float[Tensor, "batch heads seq seq"]:
    order = order.to(patterns.device)
    return patterns[..., order[:, None], order]
