"""What every scorer is: a configuration that, given a model and its corpus, measures."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Int64
from matplotlib.figure import Figure

from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel
from physlm.record import Metric


@dataclass(kw_only=True, slots=True)
class ScorerConfig(ABC):
    """One measurement; each scorer adds its own fields.

    Attributes:
        version: To be raised whenever the same model would get other numbers; a run that an earlier
            version measured says so, and ``rescore=true`` measures it again.
        figure_names: Of what `figures` draws.
    """

    version: ClassVar[int] = 1
    figure_names: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """Refuse, before any training, a model or corpus that this scorer cannot measure.

        Raises:
            InputError: Naming the scorer and what it can measure.
        """

    @abstractmethod
    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Measure a trained model against the truth."""

    def curve(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:  # noqa: ARG002
        """What is worth measuring again and again during training; nothing unless a scorer says."""
        return []

    def figures(self, model: LanguageModel, corpus: Corpus) -> dict[str, Figure]:  # noqa: ARG002
        """Pictures to keep beside the record, one for each of `figure_names`."""
        return {}


def mean(name: str, values: np.ndarray, unit: str, *, split: str = "test") -> Metric:
    """A metric that is a mean over what was measured, with its standard error."""
    n, numbers = len(values), values.astype(np.float64)
    stderr = float(numbers.std(ddof=1) / math.sqrt(n)) if n > 1 else None
    return Metric(
        name=name, value=float(numbers.mean()), unit=unit, n=n, stderr=stderr, split=split
    )


def require_causal(name: str, model: LanguageModel, fault: str) -> None:
    """The model reads from left to right.

    Raises:
        InputError: Naming the scorer, the model, and what it therefore cannot do.
    """
    if not model.is_causal:
        raise InputError(f"eval={name}: {type(model).__name__} {fault}")


def require_window(model: LanguageModel, what: str, n_tokens: int, *, n_unread: int = 0) -> None:
    """The model's window holds what is read, which are all tokens but the last ``n_unread``.

    Raises:
        InputError: If its learned positions end before.
    """
    if model.longest_window is not None and n_tokens - n_unread > model.longest_window:
        raise InputError(
            f"{what} have up to {n_tokens} tokens, learned positions end at "
            f"data.seq_len={model.longest_window}; raise it or use model.position=rope"
        )


def sample(
    values: Int64[np.ndarray, " values"], n_most: int, rng: np.random.Generator
) -> Int64[np.ndarray, " sampled"]:
    """All of the ascending values, or so many of them, drawn and still ascending."""
    return values if len(values) <= n_most else np.sort(rng.permutation(values)[:n_most])
