"""The one interface of every model: token ids in, scores of tokens out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.cache import Cache
from physlm.models.cross_entropy import summed_cross_entropy
from physlm.schema import Schema


class LanguageModel(nn.Module, ABC):
    """Scores every next token from the tokens up to it.

    A masked model scores each token itself instead, from those on both sides.

    Attributes:
        vocabulary_size: Number of tokens.
        longest_window: Tokens it can read at once; None where there is no limit.
        is_causal: Whether scores of a token depend on those up to it alone.
    """

    vocabulary_size: int
    longest_window: int | None = None
    is_causal: bool = True

    @property
    def device(self) -> torch.device:
        """Where its parameters are; the CPU if it has none."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @abstractmethod
    def forward(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised next-token scores.

        Args:
            tokens: Token ids.
            is_visible: Where row t may look at column s, on top of causality; None allows all.
        """

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the targets; -1 stands where there is none."""
        logits = self(tokens, is_visible)
        return summed_cross_entropy(logits.flatten(0, 1), targets.flatten())

    def prefill(
        self,
        prompts: Int[Tensor, "batch seq"],  # noqa: ARG002
        lengths: Int[Tensor, " batch"],  # noqa: ARG002
        n_positions: int,  # noqa: ARG002
    ) -> tuple[Float[Tensor, "batch vocab"], Cache]:
        """Read whole prompts, to go on token by token with ``decode``.

        Args:
            prompts: Token ids, each row filled up behind its end with any token.
            lengths: Tokens of each prompt.
            n_positions: Tokens per row that will be read in all, the prompt's included.

        Returns:
            Next-token scores of each row, and what ``decode`` needs.

        Raises:
            InputError: If the model keeps nothing of what it read.
        """
        raise InputError(_no_cache(self))

    def decode(
        self,
        tokens: Int[Tensor, " batch"],  # noqa: ARG002
        cache: Cache,  # noqa: ARG002
    ) -> Float[Tensor, "batch vocab"]:
        """Next-token scores after one more token per row, which the cache keeps.

        Raises:
            InputError: If the model keeps nothing of what it read.
        """
        raise InputError(_no_cache(self))

    def hidden_states(
        self,
        tokens: Int[Tensor, "batch seq"],  # noqa: ARG002
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "batch seq width"]:
        """The last layer's normalised states, from which scores are a linear map.

        Raises:
            InputError: If the model shows none.
        """
        raise InputError(_undefined(self, "hidden_states"))

    def attention_maps(
        self,
        tokens: Int[Tensor, "batch seq"],  # noqa: ARG002
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "layers batch heads seq seq"]:
        """How much each token takes from each, after the softmax, in every layer and head.

        Row t of a map holds what token t takes, and sums to 1. No gradient is kept.

        Raises:
            InputError: If the model has no attention to show.
        """
        raise InputError(_undefined(self, "attention_maps"))

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


@dataclass(kw_only=True, slots=True)
class ModelConfig(Schema, ABC):
    """What a model is built from; each architecture has its own fields."""

    @abstractmethod
    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> LanguageModel:
        """A freshly initialised model."""


def _no_cache(model: LanguageModel) -> str:
    return f"{type(model).__name__} has no cache to generate with; define its prefill and decode"


def _undefined(model: LanguageModel, method: str) -> str:
    return f"{type(model).__name__} has no {method}; define it"
