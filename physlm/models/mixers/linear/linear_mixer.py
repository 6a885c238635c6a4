"""Base of mixers whose decoding state has a constant size: a matrix for every head."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.canon import Canon
from physlm.models.context import Context, Mixer
from physlm.models.mixers.linear.kernels import require_kernels
from physlm.models.parameters import Declaration, Initialiser, Start
from physlm.models.state import MixerState

_CHUNK = 64  # tokens that are computed in parallel

Recurrence = Callable[..., tuple[Tensor, Tensor]]


class RecurrentState(MixerState):
    """The state after the tokens read so far.

    Attributes:
        matrices: One for every head; None before the first token.
    """

    matrices: Float[Tensor, "batch heads rows columns"] | None = None

    def set(self, matrices: Float[Tensor, "batch heads rows columns"]) -> None:
        """Replace the state."""
        if self.matrices is None:
            self.matrices = matrices
        else:  # in place: a recorded CUDA graph finds its tensors where they were
            self.matrices.copy_(matrices)

    def reserve(self, n_positions: int) -> None:
        """Nothing: the state does not grow."""

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Drop all other rows."""
        assert self.matrices is not None
        self.matrices = self.matrices[rows]


class LinearMixer(Mixer):
    """A recurrence over tokens, computed in chunks; decoding keeps one matrix for every head.

    Attributes:
        has_kernels: Whether texts are read by the kernels of a library (`kernels`), on a GPU.
    """

    has_kernels = False

    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """The mixer's output for each token, from the tokens up to it."""
        state = context.state
        if state is None:
            return self.mixed(x, context, None, _CHUNK)[0]
        assert isinstance(state, RecurrentState)
        chunk = _CHUNK if context.place is None else 1
        out, matrices = self.mixed(x, context, state.matrices, chunk)
        state.set(matrices)
        return out

    @abstractmethod
    def mixed(
        self,
        x: Float[Tensor, "batch seq width"],
        context: Context,
        state: Float[Tensor, "batch heads rows columns"] | None,
        chunk: int,
    ) -> tuple[Float[Tensor, "batch seq width"], Float[Tensor, "batch heads rows columns"]]:
        """Output for each token, and the state after the last token that is not padding.

        Args:
            x: What the mixer reads.
            context: Context of the block.
            state: State before the first token; None for zeros.
            chunk: Tokens that are computed in parallel.
        """

    def recurrence(self, own: Recurrence, kernel: Recurrence, chunk: int) -> Recurrence:
        """The library's kernel if it is used, except for single tokens; else our own function."""
        return kernel if self.has_kernels and chunk > 1 else own

    def new_state(self) -> RecurrentState:
        """An empty state."""
        return RecurrentState()


def use_kernels(model: nn.Module, device: str) -> None:
    """Switch all mixers with linear attention to the kernels of a library.

    Args:
        model: The model.
        device: Where it will be, ``cpu`` or ``cuda``.

    Raises:
        InputError: If the library or a GPU is missing, or the model has no such mixer.
    """
    require_kernels(device)
    mixers = [module for module in model.modules() if isinstance(module, LinearMixer)]
    if not mixers:
        raise InputError(
            "runtime.kernels=true, but the model has no linear attention; leave it out or choose "
            "+mixer=gla, gdn or mamba2"
        )
    for mixer in mixers:
        mixer.has_kernels = True


class ShortConvolution(Canon):
    """A mixer's own convolution, without a residual and followed by SiLU."""

    declares: ClassVar = {
        "weight": Declaration(role="attention", decays=True, start=Start.normal),
        "bias": Declaration(role="attention", decays=False, start=Start.zero),
    }

    def __init__(self, width: int, kernel: int, *, bias: bool = False) -> None:
        super().__init__(width, kernel, residual=False, activation="silu", bias=bias)


def in_heads(
    x: Float[Tensor, "batch seq width"], n_heads: int
) -> Float[Tensor, "batch seq heads head"]:
    """The channels of each head."""
    return x.reshape(*x.shape[:2], n_heads, -1)


def is_token(
    x: Float[Tensor, "batch seq width"], context: Context
) -> Bool[Tensor, "batch seq"] | None:
    """Which tokens are not padding after a prompt; None for all."""
    if context.decoding is None or context.place is not None:
        return None
    places = torch.arange(x.shape[1], device=x.device)
    return places < context.decoding.positions[:, None]


def without_padding(
    x: Float[Tensor, "batch seq *any"], kept: Bool[Tensor, "batch seq"] | None
) -> Float[Tensor, "batch seq *any"]:
    """Zeros at padding, which then neither writes to the state nor lets it decay."""
    if kept is None:
        return x
    return x.masked_fill(~kept.reshape(*kept.shape, *(1,) * (x.dim() - 2)), 0.0)


class HeadNorm(nn.Module):
    """RMSNorm of each head's output, with gains that heads share, times SiLU of a gate.

    Args:
        d_head: Width of a head.
        eps: Epsilon of the norm.
    """

    declares: ClassVar = {"norm": Declaration(role="attention")}

    def __init__(self, d_head: int, eps: float) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(d_head, eps=eps)

    def forward(
        self, x: Float[Tensor, "batch seq heads head"], gate: Float[Tensor, "batch seq width"]
    ) -> Float[Tensor, "batch seq width"]:
        """The gated output of all heads."""
        normed: Tensor = self.norm(x).flatten(2)
        return normed * nn.functional.silu(gate)


def log_rates(least: float, most: float) -> Initialiser:
    """Initial logarithms of decay rates that are uniform between two bounds."""

    def fill(parameter: Tensor, generator: torch.Generator) -> None:
        parameter.uniform_(least, most, generator=generator).clamp_(min=1e-4).log_()

    return fill


def step_biases(parameter: Tensor, generator: torch.Generator) -> None:
    """Initial biases whose softplus is log-uniform between 0.001 and 0.1."""
    parameter.uniform_(math.log(1e-3), math.log(1e-1), generator=generator).exp_()
    parameter.copy_(parameter.clamp(min=1e-4).expm1().log())
