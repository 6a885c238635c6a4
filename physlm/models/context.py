"""The context that blocks receive with the residual stream, and the interfaces of their parts."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.attention_mask import AttentionMask
from physlm.models.observer import AttentionObserver
from physlm.models.state import DecodingState, MixerState, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Context shared by all blocks, in training, measuring, generation and analysis.

    Attributes:
        mask: Which tokens see which.
        n_positions: Tokens per row, including those yet to be generated.
        relative_positions: Embeddings of the distances between that many tokens, in ascending
            order; None unless the architecture has them.
        decoding: Decoding state of all blocks; None unless text is generated.
        state: Decoding state of this block's mixer.
        convolutions: Decoding states of this block's convolutions, by number; each convolution
            finds its own.
        place: Place of the tokens, one per row, that are read now; None for whole windows.
        load_balancing: List to which mixtures of experts append their load-balancing losses; None
            if these are not needed.
        observer: Receives the attention weights of every block; None if these are not needed.
    """

    mask: AttentionMask
    n_positions: int
    relative_positions: Float[Tensor, "distances width"] | None = None
    decoding: DecodingState | None = None
    state: MixerState | None = None
    convolutions: Sequence[MixerState] = ()
    place: Place | None = None
    load_balancing: list[Tensor] | None = None
    observer: AttentionObserver | None = None

    def of_block(self, number: int) -> "Context":
        """The same context with the decoding state of one block."""
        if self.decoding is None:
            return self
        block = self.decoding.blocks[number]
        return replace(self, state=block.mixer, convolutions=block.convolutions)


class Mixer(nn.Module, ABC):
    """The part of a block in which tokens read other tokens."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """Output added to the residual stream of each token.

        With ``context.state``, the tokens are added to the state. With ``context.place`` as well,
        each row has one token, which sees those in the state.
        """

    def new_state(self) -> MixerState:
        """An empty decoding state.

        Raises:
            InputError: If the mixer has none, so that no text can be generated.
        """
        raise InputError(f"{type(self).__name__} has no decoding state; define new_state")

    def remember(
        self,
        x: Float[Tensor, "tokens 1 width"],  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> None:
        """Add tokens to the decoding state, at ``context.place``, without computing an output.

        Raises:
            InputError: If the mixer does not define it, so that no token can leave the model early.
        """
        raise InputError(
            f"{type(self).__name__} cannot add a token to its state without computing an output, "
            "which early exit needs; define remember"
        )

    def patterns(
        self,
        x: Float[Tensor, "batch seq width"],  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> Float[Tensor, "batch heads rows columns"]:
        """Attention weights of each token over all tokens; every row sums to 1.

        With ``context.place``, those of one token per row over the columns that the state has,
        once ``forward`` has added the token.

        Raises:
            InputError: If the mixer has no attention weights.
        """
        raise InputError(f"{type(self).__name__} has no attention weights; define patterns")

    def silence(self, heads: Sequence[int]) -> None:  # noqa: ARG002
        """Silence some heads, counted from 0: they add nothing to the output from now on.

        Raises:
            InputError: If there is no such head, or the mixer has no heads.
        """
        raise InputError(f"{type(self).__name__} has no heads to silence; define silence")


class Channel(nn.Module, ABC):
    """The part of a block that works on each token separately."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """Output added to the residual stream of each token."""
