"""Base of mixers whose decoding state is keys and values: whole windows, or one token per row."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.components import AttentionShape
from physlm.models.context import Context, Mixer
from physlm.models.language_model import chosen
from physlm.models.state import KeyValueState, Place


class KeyValueMixer(Mixer):
    """A weighted mean of the values of earlier tokens; decoding keeps keys and values.

    Attributes:
        shape: Number and width of the heads.
        out: Projection of the heads' outputs, one after the other, to the residual stream.
    """

    shape: AttentionShape
    out: nn.Linear

    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """The mixer's output for each token, from the tokens that it sees."""
        state, place = context.state, context.place
        assert state is None or isinstance(state, KeyValueState)
        if place is None:
            return self._whole(x, context, state)
        assert state is not None
        return self._step(x, context, state, place)

    def patterns(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads rows columns"]:
        """Attention weights; see ``Mixer.patterns``."""
        if context.place is None:
            return self._weights(x, context)
        assert isinstance(context.state, KeyValueState)
        own = self._step_weights(x, context, context.state, context.place)
        return own.expand(len(x), -1, -1, -1)

    def remember(self, x: Float[Tensor, "tokens 1 width"], context: Context) -> None:
        """Write the keys and values of tokens, without their output."""
        state, place = context.state, context.place
        assert isinstance(state, KeyValueState)
        assert place is not None
        state.write(*self._key_value(x, context, place), place)

    @torch.no_grad()
    def silence(self, heads: Sequence[int]) -> None:
        """Set what the output projection reads of some heads to zero; see ``Mixer.silence``."""
        width = self.shape.head_width
        for head in chosen(heads, self.shape.n_heads, "head"):
            self.out.weight[:, head * width : (head + 1) * width] = 0.0

    def new_state(self) -> KeyValueState:
        """An empty state."""
        return KeyValueState()

    @abstractmethod
    def _whole(
        self, x: Float[Tensor, "batch seq width"], context: Context, state: KeyValueState | None
    ) -> Float[Tensor, "batch seq width"]:
        """Output for whole windows; a state, if given, keeps their keys and values."""

    @abstractmethod
    def _step(
        self,
        x: Float[Tensor, "batch 1 width"],
        context: Context,
        state: KeyValueState,
        place: Place,
    ) -> Float[Tensor, "batch 1 width"]:
        """Output for one more token per row, whose key and value are added to the state."""

    @abstractmethod
    def _key_value(
        self, x: Float[Tensor, "tokens 1 width"], context: Context, place: Place
    ) -> tuple[Float[Tensor, "tokens kv_heads 1 key_width"], Float[Tensor, "tokens kv_heads 1 w"]]:
        """Keys and values of single tokens."""

    @abstractmethod
    def _weights(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads seq seq"]:
        """Attention weights of whole windows."""

    @abstractmethod
    def _step_weights(
        self,
        x: Float[Tensor, "batch 1 width"],
        context: Context,
        state: KeyValueState,
        place: Place,
    ) -> Float[Tensor, "#batch heads 1 columns"]:
        """Attention weights of one token per row, whose key is in the state already."""
