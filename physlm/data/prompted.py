"""Prompts: beginnings of held-out texts, whose continuations a world can check."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int32


@dataclass(frozen=True, slots=True)
class Prompts:
    """Beginnings of texts, each of a different problem.

    Attributes:
        tokens: The tokens of each prompt, beginning as the documents of the corpus do.
        max_new_tokens: Maximum number of tokens that complete a prompt, including ``eos``.
        eos: The token that ends a text; None where all texts have one length.
    """

    tokens: tuple[Int32[np.ndarray, " _tokens"], ...]
    max_new_tokens: int
    eos: int | None


@runtime_checkable
class Prompted(Protocol):
    """A corpus that can give prompts and check whole texts."""

    def prompts(self, n: int) -> Prompts:
        """Beginnings of ``n`` texts that are never trained on.

        Raises:
            ValueError: If there are not so many.
        """

    def are_right(
        self, texts: Sequence[Int32[np.ndarray, " _tokens"]]
    ) -> Bool[np.ndarray, " texts"]:
        """Which texts are right; each is whole, without an end-of-text after it."""
