"""The per-token network of a block."""

import math
from enum import Enum

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MlpKind(str, Enum):
    """GPT-2's GELU network, the gated SiLU network of Llama and Mistral, or none at all."""

    gelu = "gelu"
    gated_silu = "gated_silu"
    none = "none"


class GeluMlp(nn.Module):
    """Up, GELU (tanh form, as in GPT-2), down."""

    def __init__(self, d_model: int, d_hidden: int, *, has_bias: bool) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden, bias=has_bias)
        self.down = nn.Linear(d_hidden, d_model, bias=has_bias)

    def forward(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch seq width"]:
        """Each token on its own."""
        out: Tensor = self.down(_gelu(self.up(x)))
        return out


class GatedSiluMlp(nn.Module):
    """Up multiplied by SiLU of a gate, then down.

    Source:
        Shazeer (2020), GLU Variants Improve Transformer.
    """

    def __init__(self, d_model: int, d_hidden: int, *, has_bias: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_hidden, bias=has_bias)
        self.up = nn.Linear(d_model, d_hidden, bias=has_bias)
        self.down = nn.Linear(d_hidden, d_model, bias=has_bias)

    def forward(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch seq width"]:
        """Each token on its own."""
        out: Tensor = self.down(nn.functional.silu(self.gate(x)) * self.up(x))
        return out


def _gelu(x: Float[Tensor, "*any width"]) -> Float[Tensor, "*any width"]:
    """GELU's tanh form; compiled in fp32, by the logistic function, whose code is faster.

    Source:
        (1 + tanh y) / 2 = sigmoid(2 y), with y = sqrt(2 / pi) (x + 0.044715 x^3).
    """
    if torch.compiler.is_compiling() and x.dtype == torch.float32:
        return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x))
    return nn.functional.gelu(x, approximate="tanh")
