"""The interface of every lens."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, chosen


class Lens(ABC):
    """Reads next-token scores from the states of one model.

    State k is the residual stream after k blocks. State L is read by the model alone: its scores
    are the model's own.

    Args:
        model: The model whose states are read; it is not copied, and stays as it is.

    Attributes:
        model: The model.

    Raises:
        InputError: If the model is not causal.
    """

    def __init__(self, model: LanguageModel) -> None:
        if not model.is_causal:
            raise InputError(
                "this model attends to both sides, and a lens reads next-token scores; give a "
                "causal model"
            )
        self.model = model

    @property
    def n_layers(self) -> int:
        """Number of blocks of the model, L."""
        return self.model.n_layers

    @property
    def states(self) -> list[int]:
        """Numbers of the states that it reads, ascending; L, which the model reads, is the last."""
        return list(range(self.n_layers + 1))

    @abstractmethod
    def translated(
        self, residual: Float[Tensor, "*any width"], state: int
    ) -> Float[Tensor, "*any width"]:
        """Estimate of state L from a state below L.

        Args:
            residual: The state, never normed.
            state: Its number, from 0 to L - 1.
        """

    def logits(
        self, residual: Float[Tensor, "*any width"], state: int
    ) -> Float[Tensor, "*any vocab"]:
        """Next-token scores from a state, in fp32 at least.

        Args:
            residual: The state, never normed.
            state: Its number, from 0 to L.

        Raises:
            InputError: If there is no such state.
        """
        return self.model.unembed(self._last(residual, state))

    def logits_of_states(
        self, residuals: Float[Tensor, "states *any width"], states: Sequence[int]
    ) -> Float[Tensor, "states *any vocab"]:
        """Next-token scores from several states, by one product with the output head.

        Args:
            residuals: The states, in the order of ``states``.
            states: Their numbers, from 0 to L.

        Raises:
            InputError: If there is no such state.
        """
        pairs = zip(residuals, states, strict=True)
        return self.model.unembed(torch.stack([self._last(h, state) for h, state in pairs]))

    def _last(self, residual: Tensor, state: int) -> Tensor:
        chosen([state], self.n_layers + 1, "state")
        return residual if state == self.n_layers else self.translated(residual, state)


@torch.no_grad()
def width_of(model: LanguageModel) -> int:
    """Width of the residual stream."""
    token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    return model.residuals(token, [0]).shape[-1]


def exact_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type of a lens' parameters for states of a type: fp32 at least."""
    return torch.promote_types(dtype, torch.float32)


@contextmanager
def frozen(model: LanguageModel) -> Iterator[None]:
    """A context in which a model is in evaluation mode and gets no gradients."""
    was_training = model.training
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval()
    for parameter in trained:
        parameter.requires_grad = False
    try:
        yield
    finally:
        model.train(was_training)
        for parameter in trained:
            parameter.requires_grad = True
