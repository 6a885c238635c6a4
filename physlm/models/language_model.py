"""The one interface of every model: token ids in, scores of tokens out, and what lies between."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.cross_entropy import summed_cross_entropy
from physlm.models.state import DecodingState

if TYPE_CHECKING:
    from physlm.models.pretrained_text import PretrainedText


class LanguageModel(nn.Module, ABC):
    """Scores every next token from the tokens up to it.

    A masked model scores each token itself instead, from those on both sides. State k of a model of
    L blocks is the residual stream after k of them: state 0 is the embedding with all that is added
    to it, state L is what the final norm reads.

    Segments are a number for each token: tokens see those of their own number only, such as those
    of the same document in a window. Without them all tokens of a row see each other, as far as
    causality lets them.

    Attributes:
        vocabulary_size: Number of tokens.
        longest_window: Tokens it can read at once; None where there is no limit.
        is_causal: Whether scores of a token depend on those up to it alone.
        text: Reads and writes text, for a model with a tokenizer of its own; None where the tokens
            are those of a corpus.
    """

    vocabulary_size: int
    longest_window: int | None = None
    is_causal: bool = True
    text: "PretrainedText | None" = None

    @property
    def device(self) -> torch.device:
        """Where its parameters are; the CPU if it has none."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @property
    def n_layers(self) -> int:
        """Number of blocks.

        Raises:
            InputError: If the model does not say.
        """
        raise InputError(_undefined(self, "n_layers"))

    @abstractmethod
    def forward(
        self, tokens: Int[Tensor, "batch seq"], segments: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised next-token scores.

        Args:
            tokens: Token ids.
            segments: Which tokens may see each other; None for all.
        """

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the targets; -1 stands where there is none."""
        logits = self(tokens, segments)
        return summed_cross_entropy(logits.flatten(0, 1), targets.flatten())

    def prefill(
        self,
        prompts: Int[Tensor, "batch seq"],  # noqa: ARG002
        lengths: Int[Tensor, " batch"],  # noqa: ARG002
        n_positions: int,  # noqa: ARG002
    ) -> tuple[Float[Tensor, "batch vocab"], DecodingState]:
        """Read whole prompts, to go on token by token with ``decode``.

        Args:
            prompts: Token ids, each row filled up behind its end with any token.
            lengths: Tokens of each prompt.
            n_positions: Tokens per row that will be read in all, the prompt's included.

        Returns:
            Next-token scores of each row, and what ``decode`` needs.

        Raises:
            InputError: If the prompts are wider than ``n_positions``, or the model has no decoding
                state.
        """
        raise InputError(_keeps_nothing(self))

    def decode(
        self,
        tokens: Int[Tensor, " batch"],  # noqa: ARG002
        state: DecodingState,  # noqa: ARG002
    ) -> Float[Tensor, "batch vocab"]:
        """Next-token scores after one more token per row, which the state keeps.

        Raises:
            InputError: If the model keeps nothing of what it read.
        """
        raise InputError(_keeps_nothing(self))

    def hidden_states(
        self,
        tokens: Int[Tensor, "batch seq"],  # noqa: ARG002
        segments: Int[Tensor, "batch seq"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "batch seq width"]:
        """State L after the final norm, from which scores are a linear map.

        Raises:
            InputError: If the model shows none.
        """
        raise InputError(_undefined(self, "hidden_states"))

    def residuals(
        self,
        tokens: Int[Tensor, "batch seq"],  # noqa: ARG002
        states: Sequence[int] | None = None,  # noqa: ARG002
        segments: Int[Tensor, "batch seq"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "states batch seq width"]:
        """The residual stream at chosen states, from one forward pass; never normed.

        Args:
            tokens: Token ids.
            states: Numbers of blocks applied, from 0 to ``n_layers``, in the order wanted; None
                for all.
            segments: Which tokens may see each other; None for all.

        Raises:
            InputError: If there is no such state, or the model shows none.
        """
        raise InputError(_undefined(self, "residuals"))

    def unembed(
        self,
        residual: Float[Tensor, "*any width"],  # noqa: ARG002
    ) -> Float[Tensor, "*any vocab"]:
        """The scores that the final norm and the output head make of a state, in fp32 at least.

        Of state L they are the model's own. Rounded to fewer bits, many scores would be equal.

        Raises:
            InputError: If the model does not show it.
        """
        raise InputError(_undefined(self, "unembed"))

    def forward_from(
        self,
        residual: Float[Tensor, "batch seq width"],  # noqa: ARG002
        k: int,  # noqa: ARG002
        segments: Int[Tensor, "batch seq"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "batch seq width"]:
        """State L, from a given state k of whole windows: blocks k to L - 1 are run.

        Raises:
            InputError: If there is no such state, or the model cannot start from one.
        """
        raise InputError(_undefined(self, "forward_from"))

    def attention_patterns(
        self,
        tokens: Int[Tensor, "batch seq"],  # noqa: ARG002
        layers: Sequence[int] | None = None,  # noqa: ARG002
        segments: Int[Tensor, "batch seq"] | None = None,  # noqa: ARG002
    ) -> Iterator[tuple[int, Float[Tensor, "batch heads seq seq"]]]:
        """How much each token takes from each, after the softmax, block by block.

        Row t of a map holds what token t takes, and sums to 1. No gradient is kept. Only one
        block's maps are held at a time.

        Args:
            tokens: Token ids.
            layers: Blocks, counted from 0, in the order wanted; None for all, in ascending order.
            segments: Which tokens may see each other; None for all.

        Yields:
            The number of a block, with its maps.

        Raises:
            InputError: If there is no such block, or the model has no attention to show.
        """
        raise InputError(_undefined(self, "attention_patterns"))

    def untrained(self, seed: int) -> "LanguageModel":  # noqa: ARG002
        """A model of the same architecture with random weights, on the same device.

        Raises:
            InputError: If the model does not know how it was built.
        """
        raise InputError(_undefined(self, "untrained"))

    def n_parameters(self) -> dict[str, int]:
        """Parameters by role; a shared tensor counts once."""
        return {"all": sum(p.numel() for p in self.parameters())}

    def n_active_parameters(self) -> int:
        """Parameters that one token is computed with; all, unless a model has experts."""
        return sum(self.n_parameters().values())

    def shows(self, member: str) -> bool:
        """Whether the model defines a member that this class only refuses."""
        return getattr(type(self), member) is not getattr(LanguageModel, member)


def chosen(numbers: Sequence[int] | None, n: int, what: str) -> list[int]:
    """All of them, or those asked for.

    Raises:
        InputError: If one is not there, or none is asked for.
    """
    wanted = list(range(n)) if numbers is None else list(numbers)
    if not wanted:
        raise InputError(f"{what}s=[]; give at least one {what}")
    if outside := [number for number in wanted if not 0 <= number < n]:
        raise InputError(f"{what} {outside[0]} is not there; this model has 0 to {n - 1}")
    return wanted


def _keeps_nothing(model: LanguageModel) -> str:
    return f"{type(model).__name__} cannot generate text; define its prefill and decode"


def _undefined(model: LanguageModel, member: str) -> str:
    return f"{type(model).__name__} has no {member}; define it"
