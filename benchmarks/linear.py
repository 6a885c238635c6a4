"""Linear attention in chunks, and token by token as its recurrence is written.

Forward and backward of one layer at the shapes of a model of width 512, in CPU seconds of one
thread.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize, softplus

from benchmarks import recurrences
from benchmarks.timing import Row, compare
from physlm.models.mixers import linear

_BATCH, _LENGTH = 4, 512
_TURNS = 3
_PEER = "the recurrence, token by token"

Function = Callable[..., tuple[Tensor, Tensor]]


def linear_rows() -> list[Row]:
    """Each kind."""
    return [
        _row("gla", "4 heads, keys 64, values 128", linear.gla, recurrences.gla),
        _row(
            "gated delta",
            "4 heads, keys 96, values 192",
            linear.gated_delta,
            recurrences.gated_delta,
        ),
        _row("mamba2", "16 heads of 64, state 64", linear.mamba2, recurrences.mamba2),
    ]


def inputs(kind: str) -> list[Tensor]:
    """Inputs of one layer."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(_BATCH, _LENGTH, *shape, generator=generator)

    if kind == "gla":
        decays = logsigmoid(normal(4, 64)) / 16
        return [normal(4, 64), normal(4, 64), normal(4, 128), decays]
    if kind == "gated delta":
        q, k = (normalize(normal(4, 96), dim=-1) for _ in range(2))
        return [q, k, normal(4, 192), -softplus(normal(4)) / 10, normal(4).sigmoid()]
    rates = torch.linspace(0, 2.7, 16)
    return [normal(16, 64), normal(64), normal(64), softplus(normal(16) - 4), rates, rates / 3]


def _row(kind: str, heads: str, ours: Function, theirs: Function) -> Row:
    given = [x.requires_grad_() for x in inputs(kind)]

    def trained(function: Function) -> int:
        out, _ = function(*given)
        torch.autograd.grad(out.sum(), given)
        return _BATCH * _LENGTH

    return compare(
        f"linear attention, forward and backward: {kind}",
        f"batch {_BATCH}, T {_LENGTH}, {heads}",
        _PEER,
        ours=lambda: trained(ours),
        theirs=lambda: trained(theirs),
        unit="tokens/CPU-s",
        turns=_TURNS,
        clock=time.process_time,
    )
