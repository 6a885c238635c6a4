"""The interface of every model: token ids in, scores out, and access to the states between."""

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
    from pathlib import Path

    from physlm.models.answering import Answering
    from physlm.models.pretrained_text import PretrainedText

_HAS_NO_DECODING = "this model cannot generate text; use a decoder, which has prefill and decode"


class LanguageModel(nn.Module, ABC):
    """Scores every next token from the tokens up to it.

    A masked model instead scores each token itself, from the tokens on both sides. State k of a
    model of L blocks is the residual stream after k blocks: state 0 is the embedding, with added
    positions if there are any; state L is the input of the final norm.

    Segments number the tokens of a window, by document for example; a token sees its own segment
    only. Without segments, causality alone restricts what a token sees.

    Attributes:
        vocabulary_size: Number of tokens.
        longest_window: Tokens it can read at once; None for no limit.
        is_causal: Whether the scores at a token depend only on the tokens up to it.
        text: Reads and writes text, for a model with its own tokenizer; None for models of a
            corpus' tokens.
        answering: Answers prompts in text, for a model with its own tokenizer or behind an
            endpoint; None for models of a corpus' tokens.
    """

    vocabulary_size: int
    longest_window: int | None = None
    is_causal: bool = True
    text: "PretrainedText | None" = None
    answering: "Answering | None" = None

    @property
    def device(self) -> torch.device:
        """The device of its parameters; the CPU if it has none."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @property
    def n_layers(self) -> int:
        """Number of blocks.

        Raises:
            InputError: If the model does not define it.
        """
        raise InputError(_undefined(self, "n_layers"))

    @property
    def output_weight(self) -> Float[Tensor, "vocab width"]:
        """Weights of the output head, with one row for each token that can be predicted.

        Raises:
            InputError: If the model does not define it.
        """
        raise InputError(_undefined(self, "output_weight"))

    @abstractmethod
    def forward(
        self, tokens: Int[Tensor, "batch seq"], segments: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised next-token scores.

        Args:
            tokens: Token ids.
            segments: Segment number of each token; None for one segment per row.
        """

    @property
    def has_additive_loss(self) -> bool:
        """Whether the loss of a batch in training is the sum of the losses of its windows."""
        return True

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the targets; -1 marks positions without a target."""
        logits = self(tokens, segments)
        return summed_cross_entropy(logits.flatten(0, 1), targets.flatten())

    def prefill(
        self,
        prompts: Int[Tensor, "batch seq"],  # noqa: ARG002
        lengths: Int[Tensor, " batch"],  # noqa: ARG002
        n_positions: int,  # noqa: ARG002
    ) -> tuple[Float[Tensor, "batch vocab"], DecodingState]:
        """Read whole prompts, to continue token by token with ``decode``.

        Args:
            prompts: Token ids, each row padded after its end with any token.
            lengths: Tokens of each prompt.
            n_positions: Tokens per row that will be read in all, the prompt's included.

        Returns:
            Next-token scores of each row, and the state for ``decode``.

        Raises:
            InputError: If the prompts are wider than ``n_positions``, or the model has no decoding
                state.
        """
        raise InputError(_HAS_NO_DECODING)

    def decode(
        self,
        tokens: Int[Tensor, " batch"],  # noqa: ARG002
        state: DecodingState,  # noqa: ARG002
    ) -> Float[Tensor, "batch vocab"]:
        """Next-token scores after one more token per row, which is added to the state.

        Raises:
            InputError: If the model has no decoding state.
        """
        raise InputError(_HAS_NO_DECODING)

    def hidden_states(
        self,
        tokens: Int[Tensor, "batch seq"],  # noqa: ARG002
        segments: Int[Tensor, "batch seq"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "batch seq width"]:
        """State L after the final norm; scores are a linear map of it.

        Raises:
            InputError: If the model does not define it.
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
            states: State numbers, from 0 to ``n_layers``, in the order wanted; None for all.
            segments: Segment number of each token; None for one segment per row.

        Raises:
            InputError: If there is no such state, or the model does not define it.
        """
        raise InputError(_undefined(self, "residuals"))

    def unembed(
        self,
        residual: Float[Tensor, "*any width"],  # noqa: ARG002
    ) -> Float[Tensor, "*any vocab"]:
        """Scores from a state by the final norm and the output head (logit lens), in fp32 at least.

        Those of state L are the model's own. In bf16 many scores would be equal by rounding.

        Raises:
            InputError: If the model does not define it.
        """
        raise InputError(_undefined(self, "unembed"))

    def forward_from(
        self,
        residual: Float[Tensor, "batch seq width"],  # noqa: ARG002
        k: int,  # noqa: ARG002
        segments: Int[Tensor, "batch seq"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "batch seq width"]:
        """State L from a given state k of whole windows; runs blocks k to L - 1.

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
        """Attention weights after the softmax, layer by layer.

        Row t of a pattern holds the weights of token t, which sum to 1, or to less in checkpoints
        whose attention has a sink that is not a token. No gradient is kept. One layer's patterns
        are held at a time.

        Args:
            tokens: Token ids.
            layers: Layers, counted from 0, in the order wanted; None for all, in ascending order.
            segments: Segment number of each token; None for one segment per row.

        Yields:
            A layer and its patterns.

        Raises:
            InputError: If there is no such layer, or the model has no attention weights.
        """
        raise InputError(_undefined(self, "attention_patterns"))

    def untrained(self, seed: int) -> "LanguageModel":  # noqa: ARG002
        """A model of the same architecture with random weights, on the same device.

        Raises:
            InputError: If the model does not define it.
        """
        raise InputError(_undefined(self, "untrained"))

    def keep_answers(self, path: "Path") -> None:
        """Keep answers in a file as they come, and ask for none twice; for models that answer."""
        if self.answering is not None:
            from physlm.models.answering import KeptAnswering

            self.answering = KeptAnswering(self.answering, path)

    def n_parameters(self) -> dict[str, int]:
        """Parameters by role; a shared tensor counts once."""
        return {"all": sum(p.numel() for p in self.parameters())}

    def n_active_parameters(self) -> int:
        """Parameters used for one token; all, unless the model has experts."""
        return sum(self.n_parameters().values())

    def shows(self, member: str) -> bool:
        """Whether the model defines an optional member of this interface."""
        return getattr(type(self), member) is not getattr(LanguageModel, member)


def chosen(numbers: Sequence[int] | None, n: int, what: str) -> list[int]:
    """The given numbers, or all from 0 to n - 1.

    Args:
        numbers: Numbers of states, layers or heads; None for all.
        n: Number of them in the model.
        what: ``state``, ``layer`` or ``head``, for the error.

    Raises:
        InputError: If one does not exist, or the list is empty.
    """
    wanted = list(range(n)) if numbers is None else list(numbers)
    if not wanted:
        raise InputError(f"{what}s=[]; give at least one {what}")
    if outside := [number for number in wanted if not 0 <= number < n]:
        raise InputError(f"{what} {outside[0]} does not exist; this model has 0 to {n - 1}")
    return wanted


def _undefined(model: LanguageModel, member: str) -> str:
    return f"{type(model).__name__} has no {member}; define it"
