"""What a block receives beside the residual stream, and what its parts are."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.attention_mask import AttentionMask
from physlm.models.state import DecodingState, MixerState, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One for all blocks and all uses: training, measuring, generating, looking inside.

    Attributes:
        mask: Which tokens see which.
        n_positions: Tokens per row that will be read in all, those yet to come included.
        relative_positions: Embeddings of the distances between that many tokens, in ascending
            order; None unless the architecture has them.
        decoding: What all blocks keep of the tokens they read; None unless text is generated.
        state: What this block keeps of them.
        place: Where the one token of each row stands that is read now; None where whole windows
            are.
        load_balancing: Where mixtures of experts put how unevenly they were chosen; None unless it
            is asked for.
    """

    mask: AttentionMask
    n_positions: int
    relative_positions: Float[Tensor, "distances width"] | None = None
    decoding: DecodingState | None = None
    state: MixerState | None = None
    place: Place | None = None
    load_balancing: list[Tensor] | None = None

    def of_block(self, number: int) -> "Context":
        """The same, with the state of one block."""
        if self.decoding is None:
            return self
        return replace(self, state=self.decoding.blocks[number])


class Mixer(nn.Module, ABC):
    """The part of a block in which tokens take from other tokens."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """What each token takes from those it sees.

        With a state, what is read is kept there; with a place, too, the one token of each row sees
        what was kept before.
        """

    def new_state(self) -> MixerState:
        """An empty state, to be filled by the first tokens that are read.

        Raises:
            InputError: If it keeps nothing, so that no text can be generated.
        """
        raise InputError(f"{type(self).__name__} keeps nothing of what it read; define new_state")

    def patterns(
        self,
        x: Float[Tensor, "batch seq width"],  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> Float[Tensor, "batch heads seq seq"]:
        """How much each token takes from each; every row sums to 1.

        Raises:
            InputError: If it does not work by attention.
        """
        raise InputError(f"{type(self).__name__} has no attention to show; define patterns")


class Channel(nn.Module, ABC):
    """The part of a block that works on each token on its own."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """What is added to the residual stream of each token."""
