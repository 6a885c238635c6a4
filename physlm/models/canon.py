"""Canon layers: a causal convolution over the last few tokens, channel by channel."""

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.canon_config import Activation, CanonConfig
from physlm.models.context import Context
from physlm.models.parameters import Declaration, Start
from physlm.models.state import MixerState


class ConvolutionState(MixerState):
    """The last inputs of a convolution, one for each of its taps, the latest one last.

    Attributes:
        inputs: Zeros where a text is shorter than the kernel; None before the first token.
    """

    inputs: Float[Tensor, "batch kernel width"] | None = None

    def fill(
        self, x: Float[Tensor, "batch seq width"], lengths: Int[Tensor, " batch"], kernel: int
    ) -> None:
        """Keep the last inputs of prompts, each of its own length."""
        padded = nn.functional.pad(x, (0, 0, kernel, 0))
        latest = lengths[:, None] + torch.arange(kernel, device=x.device)
        self.inputs = padded.take_along_dim(latest[..., None], dim=1)

    def push(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch reached width"]:
        """Add tokens; returns them after the earlier inputs that their sums reach."""
        assert self.inputs is not None
        reached = torch.cat((self.inputs[:, 1:], x.to(self.inputs.dtype)), dim=1)
        # In place: a recorded CUDA graph finds its tensors where they were.
        self.inputs.copy_(reached[:, -self.inputs.shape[1] :])
        return reached

    def reserve(self, n_positions: int) -> None:
        """Nothing: the state does not grow."""

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Drop all other rows."""
        assert self.inputs is not None
        self.inputs = self.inputs[rows]


def _as_conv1d(weight: Tensor, generator: torch.Generator | None = None) -> None:
    """The initial values of torch's `Conv1d`, U(-1/sqrt(k), 1/sqrt(k)) for k taps per channel."""
    bound = weight.shape[-1] ** -0.5
    weight.uniform_(-bound, bound, generator=generator)


class Canon(nn.Module):
    """A causal depthwise convolution: h_t + act(sum over i of w_(k-1-i) h_(t-i) + bias).

    Texts begin after zeros. Weights are drawn as torch draws those of `Conv1d`; a smaller start
    trains worse. They decay like matrices: the published recipes leave out gains and biases only,
    and with a residual decay pulls the layer towards the identity.

    Args:
        width: Number of channels.
        kernel: Number of taps k, the token itself included.
        residual: Whether the input is added to the sum.
        activation: Applied to the sum: a function of tensors, ``silu``, or None.
        bias: Whether a bias is added to the sum; it is zero at first.

    Attributes:
        weight: One filter per channel; its last tap is that of the current token.
        number: Which of its block's convolutions it is, and so which decoding state it has; its
            block sets it.

    Source:
        Physics of Language Models, Part 4.1; Gu and Dao (2023) have the same sum without residual.
    """

    declares: ClassVar = {
        "weight": Declaration(role="canon", decays=True, start=_as_conv1d),
        "bias": Declaration(role="canon", decays=False, start=Start.zero),
    }

    def __init__(
        self,
        width: int,
        kernel: int = 4,
        residual: bool = True,  # noqa: FBT001, FBT002
        activation: Callable[[Tensor], Tensor] | str | None = None,
        bias: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        super().__init__()
        if kernel < 1:
            raise ValueError(f"kernel={kernel}; must be at least 1, the token itself")
        self.kernel, self.residual = kernel, residual
        self.activation = _function(activation)
        self.weight = nn.Parameter(torch.empty(width, kernel))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.number: int | None = None
        with torch.no_grad():
            _as_conv1d(self.weight)

    def forward(
        self,
        x: Float[Tensor, "batch seq width"],
        context: Context | None = None,
        state: ConvolutionState | None = None,
        *,
        is_added: bool = False,
    ) -> Float[Tensor, "batch seq width"]:
        """The layer's output for each token.

        Segments of the context's mask are not crossed. In decoding, tokens continue the texts of
        the state.

        Args:
            x: Whole windows, or the next tokens of each row.
            context: Context of the block; None: one segment per row.
            state: Decoding state; None: the one that the context has for this layer, if any. With
                a state but no context, tokens start its texts if it is empty, and continue them
                otherwise.
            is_added: Whether the next token is in the state already; its output is computed again.
        """
        if state is None and context is not None and context.convolutions:
            state = self._own_state(context)
        if state is None or not _continues(state, context):
            if state is not None:
                state.fill(x, _lengths(x, context), self.kernel)
            segments = None if context is None else context.mask.segments
            return self._convolved(nn.functional.pad(x, (0, 0, self.kernel - 1, 0)), x, segments)
        reached = state.inputs if is_added else state.push(x)
        assert reached is not None
        return self._convolved(reached.to(x.dtype), x, None)

    def new_state(self) -> ConvolutionState:
        """An empty decoding state."""
        return ConvolutionState()

    def _own_state(self, context: Context) -> ConvolutionState:
        assert self.number is not None, "the block of a convolution numbers it"
        state = context.convolutions[self.number]
        assert isinstance(state, ConvolutionState)
        return state

    def _convolved(
        self,
        reached: Float[Tensor, "batch reached width"],
        x: Float[Tensor, "batch seq width"],
        segments: Int[Tensor, "batch seq"] | None,
    ) -> Float[Tensor, "batch seq width"]:
        if segments is None and x.device.type == "cpu" and not torch.compiler.is_compiling():
            total = _depthwise(reached, self.weight.to(x.dtype))
        else:
            total = self._shifted(reached, x, segments)
        if self.bias is not None:
            total = total + self.bias.to(x.dtype)
        if self.activation is not None:
            total = self.activation(total)
        return x + total if self.residual else total

    def _shifted(
        self,
        reached: Float[Tensor, "batch reached width"],
        x: Float[Tensor, "batch seq width"],
        segments: Int[Tensor, "batch seq"] | None,
    ) -> Float[Tensor, "batch seq width"]:
        # One product for each tap: compiled, they fuse with their neighbours into one loop.
        n_earlier, weight = self.kernel - 1, self.weight.to(x.dtype)
        total = x * weight[:, n_earlier]
        for back in range(1, self.kernel):
            earlier = reached[:, n_earlier - back : reached.shape[1] - back]
            if segments is not None:
                # What is before the window is zero, of whichever segment.
                before = nn.functional.pad(segments, (back, 0))[:, : segments.shape[1]]
                earlier = earlier.masked_fill((before != segments)[..., None], 0.0)
            total = total + earlier * weight[:, n_earlier - back]
        return total


def _depthwise(
    reached: Float[Tensor, "batch reached width"], weight: Float[Tensor, "width kernel"]
) -> Float[Tensor, "batch seq width"]:
    """The sums as one call: on CPUs half the time of one product for each tap.

    ``conv1d`` runs over time within each channel, and would copy. An image of one row, with its
    channels last, is what is in memory already.
    """
    image = reached.transpose(1, 2)[:, :, None]
    return nn.functional.conv2d(image, weight[:, None, None], groups=len(weight))[:, :, 0].mT


def canon_at(config: CanonConfig | None, position: str, width: int) -> Canon | None:
    """The Canon layer of one position of a block, if it has one.

    Args:
        config: Configuration of the architecture.
        position: A, B, C or D; mixers ask for B.
        width: Number of channels.
    """
    if config is None or position not in config.positions:
        return None
    activation = None if config.activation is Activation.none else config.activation.value
    canon = Canon(width, config.kernel, config.residual, activation, config.bias)
    return canon.requires_grad_(not config.is_frozen)


def _function(
    activation: Callable[[Tensor], Tensor] | str | None,
) -> Callable[[Tensor], Tensor] | None:
    if not isinstance(activation, str):
        return activation
    if activation != "silu":
        raise InputError(f"activation={activation}; must be silu, a function of tensors, or None")
    return nn.functional.silu


def _continues(state: ConvolutionState, context: Context | None) -> bool:
    return state.inputs is not None if context is None else context.place is not None


def _lengths(x: Float[Tensor, "batch seq width"], context: Context | None) -> Int[Tensor, " batch"]:
    """Tokens of each row; those after them are padding."""
    if context is not None and context.decoding is not None:
        return context.decoding.positions
    return torch.full((len(x),), x.shape[1], device=x.device)
