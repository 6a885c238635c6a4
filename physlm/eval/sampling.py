"""Sampling of next tokens: temperature, top-k, and when a row ends."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.eval.scorer import require_temperature


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How each next token is chosen, and when a row ends.

    Attributes:
        max_new_tokens: Maximum number of new tokens per row, including ``eos``.
        eos: The token that ends a row; with None every row has ``max_new_tokens``.
        temperature: Divides the logits; 0 decodes greedily.
        top_k: Sample from the k most likely tokens only; None samples from all.
        batch_size: Rows decoded at once.
        is_compiled: Compile the decoding step, on a GPU into a CUDA graph. Compilation takes about
            half a minute, and again for every new number of rows or positions. Ended rows are then
            decoded until all rows have ended, since a graph has a fixed shape.
    """

    max_new_tokens: int
    eos: int | None = None
    temperature: float = 1.0
    top_k: int | None = None
    batch_size: int = 512
    is_compiled: bool = False

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "batch_size", "top_k"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}={value}; must be at least 1")
        require_temperature(self.temperature)

    def draw(
        self, logits: Float[Tensor, "batch vocab"], uniform: Float[Tensor, " batch"]
    ) -> Int[Tensor, " batch"]:
        """One token per row, by inversion of the cumulative distribution.

        This needs one uniform number in (0, 1] per row; the Gumbel trick needs one per token of the
        vocabulary. The result is the first token whose cumulative probability reaches the number,
        hence never a token of probability 0. In single precision the error is about 1e-7.

        Source:
            Devroye (1986), Non-Uniform Random Variate Generation, section III.2.
        """
        if self.temperature == 0:
            return logits.argmax(dim=-1)
        scores, ids = logits.float(), None
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            scores, ids = scores.topk(self.top_k, dim=-1)
        if self.temperature != 1:
            scores = scores / self.temperature
        cumulative = scores.softmax(dim=-1).cumsum(dim=-1)
        # The last sum stands for 1, which it misses by rounding.
        chosen = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:])
        return (chosen if ids is None else ids.gather(1, chosen))[:, 0]
