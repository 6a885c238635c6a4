"""What every scorer is: a configuration that, given a model and its corpus, measures.

A configuration is composed of the schemas of all scorers, so that a scorer's file says what it
measures, and imports what computes where it is used.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Int64

from physlm.errors import InputError
from physlm.measurement import Dim, Measurement, Metric
from physlm.schema import Schema

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@dataclass(kw_only=True, slots=True)
class ScorerConfig(Schema, ABC):
    """One measurement; each scorer adds its own fields.

    Attributes:
        version: To be raised whenever the same model would get other numbers; a run that an earlier
            version measured says so, and ``rescore=true`` measures it again.
        figure_names: Of what `figures` draws.
    """

    version: ClassVar[int] = 1
    figure_names: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """Refuse, before any training, a model or corpus that this scorer cannot measure.

        Raises:
            InputError: Naming the scorer and what it can measure.
        """

    @abstractmethod
    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Measure a trained model against the truth."""

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:  # noqa: ARG002
        """What is worth measuring again and again during training; nothing unless a scorer says."""
        return []

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:  # noqa: ARG002
        """Pictures to keep beside the record, one for each of `figure_names`.

        Args:
            measurement: The metrics of the run, and the arrays of this scorer.
        """
        return {}


def mean(name: str, values: np.ndarray, unit: str, *, split: str, **dims: Dim) -> Metric:
    """A metric that is a mean over what was measured, with its standard error.

    Args:
        name: Of the metric.
        values: What was measured.
        unit: What the values count.
        split: Which part of the world it was measured on.
        dims: Its other dimensions.
    """
    n, numbers = len(values), values.astype(np.float64)
    stderr = float(numbers.std(ddof=1) / math.sqrt(n)) if n > 1 else None
    return Metric(
        name=name,
        value=float(numbers.mean()),
        unit=unit,
        n=n,
        stderr=stderr,
        dims={"split": split, **dims},
    )


def require_causal(name: str, model: "LanguageModel", fault: str) -> None:
    """The model reads from left to right.

    Raises:
        InputError: Naming the scorer, the model, and what it therefore cannot do.
    """
    if not model.is_causal:
        raise InputError(f"eval={name}: {type(model).__name__} {fault}")


def require_window(model: "LanguageModel", what: str, n_tokens: int, *, n_unread: int = 0) -> None:
    """The model's window holds what is read, which are all tokens but the last ``n_unread``.

    Raises:
        InputError: If its learned positions end before.
    """
    if model.longest_window is not None and n_tokens - n_unread > model.longest_window:
        raise InputError(
            f"{what} have up to {n_tokens} tokens, learned positions end at "
            f"data.seq_len={model.longest_window}; raise it or use model.position=rope"
        )


def require_temperature(temperature: float) -> None:
    """Scores can be divided by it; 0 takes the likeliest.

    Raises:
        InputError: If they cannot.
    """
    if not 0 <= temperature < math.inf:
        raise InputError(
            f"temperature={temperature}; must be finite and not negative, 0 for greedy"
        )


def sample(
    values: Int64[np.ndarray, " values"], n_most: int, rng: np.random.Generator
) -> Int64[np.ndarray, " sampled"]:
    """All of the ascending values, or so many of them, drawn and still ascending."""
    return values if len(values) <= n_most else np.sort(rng.permutation(values)[:n_most])
