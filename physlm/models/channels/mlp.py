"""MLPs: plain with GELU or SiLU, or gated with SiLU."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.canon import canon_at
from physlm.models.canon_config import CanonConfig
from physlm.models.context import Channel, Context
from physlm.models.parameters import Declaration

Activation = Callable[..., Tensor]


class Mlp(Channel):
    """Up-projection, activation, down-projection; subclasses define the first two.

    Attributes:
        down: The down-projection.
        canon: Canon at D, one layer for each input of the activation; empty for none. Its channels
            are separate, so that this is Canon on all inputs one after the other.
    """

    down: nn.Linear
    canon: nn.ModuleList

    @abstractmethod
    def hidden(self, x: Float[Tensor, "batch seq width"]) -> tuple[Activation, *tuple[Tensor, ...]]:
        """The activation, and its inputs."""

    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """Output for each token."""
        activation, *inputs = self.hidden(x)
        if self.canon:
            inputs = [canon(h, context) for canon, h in zip(self.canon, inputs, strict=True)]
        return _linear_of(activation, self.down, *inputs)


class GeluMlp(Mlp):
    """Up, GELU (tanh form, as in GPT-2), down."""

    declares: ClassVar = {
        "up": Declaration(role="mlp"),
        "down": Declaration(role="mlp", is_residual=True),
    }

    def __init__(
        self, d_model: int, d_hidden: int, *, has_bias: bool, canon: CanonConfig | None = None
    ) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden, bias=has_bias)
        self.canon = _canon(canon, d_hidden, n=1)
        self.down = nn.Linear(d_hidden, d_model, bias=has_bias)

    def hidden(self, x: Float[Tensor, "batch seq width"]) -> tuple[Activation, Tensor]:
        """GELU and the up-projection."""
        return gelu, self.up(x)


class SiluMlp(GeluMlp):
    """Up, SiLU, down."""

    def hidden(self, x: Float[Tensor, "batch seq width"]) -> tuple[Activation, Tensor]:
        """SiLU and the up-projection."""
        return nn.functional.silu, self.up(x)


class GatedSiluMlp(Mlp):
    """Up multiplied by SiLU of a gate, then down.

    Source:
        Shazeer (2020), GLU Variants Improve Transformer.
    """

    declares: ClassVar = GeluMlp.declares | {"gate": Declaration(role="mlp")}

    def __init__(
        self, d_model: int, d_hidden: int, *, has_bias: bool, canon: CanonConfig | None = None
    ) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_hidden, bias=has_bias)
        self.up = nn.Linear(d_model, d_hidden, bias=has_bias)
        self.canon = _canon(canon, d_hidden, n=2)
        self.down = nn.Linear(d_hidden, d_model, bias=has_bias)

    def hidden(self, x: Float[Tensor, "batch seq width"]) -> tuple[Activation, Tensor, Tensor]:
        """The gated SiLU, the gate and the up-projection."""
        return gated_silu, self.gate(x), self.up(x)


def _canon(config: CanonConfig | None, d_hidden: int, *, n: int) -> nn.ModuleList:
    layers = (canon_at(config, "D", d_hidden) for _ in range(n))
    return nn.ModuleList(layer for layer in layers if layer is not None)


def _linear_of(
    activation: Activation, layer: nn.Linear, *inputs: Float[Tensor, "batch seq hidden"]
) -> Float[Tensor, "batch seq width"]:
    """A linear layer of an activation; compiled, the backward pass recomputes the activation.

    A compiled step would keep it, and hidden activations are most of a step's memory. Layers that
    replaced the linear one (adapters, quantised layers) are called as they are.
    """
    is_kept = torch.compiler.is_compiling() and torch.is_grad_enabled()
    if not is_kept or type(layer) is not nn.Linear:
        plain: Tensor = layer(activation(*inputs))
        return plain
    weight = layer.weight.to(inputs[0].dtype)
    out: Tensor = _LinearOf.apply(activation, weight, *inputs)  # type: ignore[no-untyped-call]
    return out if layer.bias is None else out + layer.bias.to(out.dtype)


class _LinearOf(torch.autograd.Function):
    """Product of an activation with a weight matrix that saves only the activation's inputs."""

    @staticmethod
    def forward(activation: Activation, weight: Tensor, *inputs: Tensor) -> Tensor:
        """The product."""
        return nn.functional.linear(activation(*inputs), weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], _: Tensor) -> None:
        """Keep the inputs."""
        ctx.activation = inputs[0]
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients, from the recomputed activation."""
        weight, *inputs = ctx.saved_tensors
        hidden, pull_back = torch.func.vjp(ctx.activation, *inputs)  # type: ignore[misc]
        d_weight = d_out.flatten(0, -2).mT @ hidden.flatten(0, -2)
        return None, d_weight, *pull_back(d_out @ weight)


def gated_silu(
    gate: Float[Tensor, "*any width"], up: Float[Tensor, "*any width"]
) -> Float[Tensor, "*any width"]:
    """SiLU of the gate, times ``up``."""
    return nn.functional.silu(gate) * up


def gelu(x: Float[Tensor, "*any width"]) -> Float[Tensor, "*any width"]:
    """GELU in tanh form; compiled in fp32, through the logistic function, whose code is faster.

    Source:
        (1 + tanh y) / 2 = sigmoid(2 y), with y = sqrt(2 / pi) (x + 0.044715 x^3).
    """
    if torch.compiler.is_compiling() and x.dtype == torch.float32:
        return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x))
    return nn.functional.gelu(x, approximate="tanh")
