"""The mixer of Gated DeltaNet."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.architecture import TransformerConfig
from physlm.models.canon import canon_at
from physlm.models.context import Context
from physlm.models.mixers.linear import kernels
from physlm.models.mixers.linear.gated_delta import gated_delta
from physlm.models.mixers.linear.linear_mixer import (
    HeadNorm,
    LinearMixer,
    ShortConvolution,
    in_heads,
    is_token,
    log_rates,
    step_biases,
    without_padding,
)
from physlm.models.mixers.linear_config import GatedDeltaConfig, d_key, d_value
from physlm.models.parameters import Declaration


class GatedDeltaMixer(LinearMixer):
    """Queries and keys of length 1, values of twice their width, a strength of writing per head."""

    declares: ClassVar = {
        "qkv": Declaration(role="attention"),
        "strength": Declaration(role="attention"),
        "decay": Declaration(role="attention"),
        "log_rate": Declaration(role="attention", decays=False, start=log_rates(0.0, 16.0)),
        "step_bias": Declaration(role="attention", decays=False, start=step_biases),
        "gate": Declaration(role="attention"),
        "out": Declaration(role="attention", is_residual=True),
    }

    def __init__(self, mixer: GatedDeltaConfig, config: TransformerConfig) -> None:
        super().__init__()
        d = config.d_model
        self.n_heads, self.has_canon_after_silu = mixer.heads(d), mixer.has_canon_after_silu
        self.widths = (d_key(d), d_key(d), d_value(d))
        self.qkv = nn.Linear(d, sum(self.widths), bias=False)
        self.canon = canon_at(config.canon, "B", sum(self.widths))
        self.convolution = (
            ShortConvolution(sum(self.widths), mixer.convolution_kernel)
            if mixer.has_convolution
            else None
        )
        self.strength = nn.Linear(d, self.n_heads, bias=False)
        self.decay = nn.Linear(d, self.n_heads, bias=False)
        self.log_rate = nn.Parameter(torch.zeros(self.n_heads))
        self.step_bias = nn.Parameter(torch.zeros(self.n_heads))
        self.gate = nn.Linear(d, d_value(d), bias=False)
        self.norm = HeadNorm(d_value(d) // self.n_heads, config.norm_eps)
        self.out = nn.Linear(d_value(d), d, bias=False)

    def mixed(
        self,
        x: Float[Tensor, "batch seq width"],
        context: Context,
        state: Float[Tensor, "batch heads key value"] | None,
        chunk: int,
    ) -> tuple[Float[Tensor, "batch seq width"], Float[Tensor, "batch heads key value"]]:
        """See ``LinearMixer``."""
        qkv = self._activated(self.qkv(x), context)
        q, k, v = (in_heads(part, self.n_heads) for part in torch.split(qkv, list(self.widths), -1))
        steps = nn.functional.softplus(self.decay(x).float() + self.step_bias)
        kept = is_token(x, context)
        out, state = self.recurrence(gated_delta, kernels.gated_delta, chunk)(
            _unit(q),
            _unit(k),
            v,
            without_padding(-self.log_rate.exp() * steps, kept),
            without_padding(self.strength(x).float().sigmoid(), kept),
            state,
            chunk,
            segments=context.mask.segments,
        )
        mixed: Tensor = self.out(self.norm(out, self.gate(x)))
        return mixed, state

    def _activated(
        self, qkv: Float[Tensor, "batch seq channels"], context: Context
    ) -> Float[Tensor, "batch seq channels"]:
        """Queries, keys and values after Canon at B, the convolution if there is one, and SiLU."""
        if self.canon is not None and not self.has_canon_after_silu:
            qkv = self.canon(qkv, context)
        if self.convolution is None:
            qkv = nn.functional.silu(qkv)
        else:
            qkv = self.convolution(qkv, context)
        if self.canon is not None and self.has_canon_after_silu:
            qkv = self.canon(qkv, context)
        return qkv


def _unit(x: Float[Tensor, "batch seq heads key"]) -> Float[Tensor, "batch seq heads key"]:
    """Vectors of length 1, up to 1e-6 under the root."""
    x = x.float()
    return x * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt()
