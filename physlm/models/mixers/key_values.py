"""What mixers that keep keys and values share: whole windows, or one more token of each row."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from physlm.models.context import Context, Mixer
from physlm.models.state import KeyValueState, Place


class KeyValueMixer(Mixer):
    """Gathers the values of earlier tokens, which it keeps with their keys."""

    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """What each token gathers from the tokens it sees."""
        state, place = context.state, context.place
        assert state is None or isinstance(state, KeyValueState)
        if place is None:
            return self._whole(x, context, state)
        assert state is not None
        return self._step(x, state, place)

    def new_state(self) -> KeyValueState:
        """Keys and values of no token yet."""
        return KeyValueState()

    @abstractmethod
    def _whole(
        self, x: Float[Tensor, "batch seq width"], context: Context, state: KeyValueState | None
    ) -> Float[Tensor, "batch seq width"]:
        """What the tokens of whole windows gather; a state keeps their keys and values."""

    @abstractmethod
    def _step(
        self, x: Float[Tensor, "batch 1 width"], state: KeyValueState, place: Place
    ) -> Float[Tensor, "batch 1 width"]:
        """What one more token of each row gathers from the state, which then holds it too."""
