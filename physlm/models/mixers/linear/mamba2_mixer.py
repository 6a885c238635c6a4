"""The mixer of Mamba2."""

from dataclasses import replace
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.architecture import TransformerConfig
from physlm.models.canon import Canon, canon_at
from physlm.models.context import Context
from physlm.models.mixers.linear import kernels
from physlm.models.mixers.linear.linear_mixer import (
    LinearMixer,
    ShortConvolution,
    in_heads,
    is_token,
    log_rates,
    step_biases,
    without_padding,
)
from physlm.models.mixers.linear.mamba2 import mamba2
from physlm.models.mixers.linear_config import BiasInit, Mamba2Config
from physlm.models.parameters import Declaration, Start


def _as_linear(weight: Tensor, generator: torch.Generator) -> None:
    """The initial values of torch's `Linear`."""
    bound = weight.shape[1] ** -0.5
    weight.uniform_(-bound, bound, generator=generator)


class Mamba2Mixer(LinearMixer):
    """Gate, input, keys, queries and steps in one projection; twice the model's width inside.

    Initial values are those of the reference implementation: matrices as torch's `Linear` has
    them, not the model's.
    """

    declares: ClassVar = {
        "projection": Declaration(role="attention", decays=True, start=_as_linear),
        "log_rate": Declaration(role="attention", decays=False, start=log_rates(1.0, 16.0)),
        "step_bias": Declaration(role="attention", decays=False, start=step_biases),
        "skip": Declaration(role="attention", decays=False, start=Start.as_made),
        "norm": Declaration(role="attention"),
        "out": Declaration(role="attention", decays=True, start=_as_linear),
    }

    def __init__(self, mixer: Mamba2Config, config: TransformerConfig) -> None:
        super().__init__()
        d, n_heads = config.d_model, mixer.heads(config.d_model)
        d_read = 2 * d + 2 * mixer.d_state
        self.n_heads, self.d_state = n_heads, mixer.d_state
        self.widths = (2 * d, d_read, n_heads)
        self.projection = nn.Linear(d, sum(self.widths), bias=False)
        self.canon = canon_at(config.canon, "B", sum(self.widths))
        self.convolution = (
            Mamba2Convolution(d_read, mixer.convolution_kernel, mixer.convolution_bias_init)
            if mixer.has_convolution
            else None
        )
        self.log_rate = nn.Parameter(torch.zeros(n_heads))
        self.step_bias = nn.Parameter(torch.zeros(n_heads))
        self.skip = nn.Parameter(torch.ones(n_heads))
        self.norm = nn.RMSNorm(2 * d, eps=config.norm_eps)
        self.out = nn.Linear(2 * d, d, bias=False)

    def mixed(
        self,
        x: Float[Tensor, "batch seq width"],
        context: Context,
        state: Float[Tensor, "batch heads head state"] | None,
        chunk: int,
    ) -> tuple[Float[Tensor, "batch seq width"], Float[Tensor, "batch heads head state"]]:
        """See ``LinearMixer``."""
        projected = self.projection(x)
        projected = projected if self.canon is None else self.canon(projected, context)
        gate, read, steps = projected.split(self.widths, dim=-1)
        read = read if self.convolution is None else self.convolution(read, context)
        inputs, b, c = read.split((self.widths[0], self.d_state, self.d_state), dim=-1)
        out, state = self.recurrence(mamba2, kernels.mamba2, chunk)(
            in_heads(inputs, self.n_heads),
            b,
            c,
            without_padding(
                nn.functional.softplus(steps.float() + self.step_bias), is_token(x, context)
            ),
            self.log_rate,
            self.skip,
            state,
            chunk,
            segments=context.mask.segments,
        )
        mixed: Tensor = self.out(self.norm(out.flatten(2) * nn.functional.silu(gate)))
        return mixed, state


class Mamba2Convolution(ShortConvolution):
    """Mamba2's convolution, whose weights start as those of torch's `Conv1d`.

    Args:
        width: Number of channels.
        kernel: Number of taps.
        bias_init: How the bias starts.
    """

    declares: ClassVar = ShortConvolution.declares | {
        "weight": Declaration(role="attention").over(Canon.declares["weight"])
    }

    def __init__(self, width: int, kernel: int, bias_init: BiasInit) -> None:
        super().__init__(width, kernel, bias=True)
        if bias_init is BiasInit.uniform:
            start = partial(_uniform_within, kernel**-0.5)
            bias = replace(self.declares["bias"], start=start)
            # For this convolution only: the bound depends on the kernel.
            self.declares = self.declares | {"bias": bias}  # type: ignore[misc]


def _uniform_within(bound: float, parameter: Tensor, generator: torch.Generator) -> None:
    parameter.uniform_(-bound, bound, generator=generator)
