"""The interface of scorers, and the checks and statistics that they share.

Composing a configuration imports the schema of every scorer. A scorer's file therefore states what
is measured, and imports the modules that compute inside its methods.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
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
        version: Raise it whenever the same model would get different numbers. Runs measured by an
            earlier version then report it, and ``rescore=true`` measures them again.
        figure_names: Names of the figures that `figures` draws.
        table_names: Names of the tables that they are drawn from.
        measures_checkpoints: Whether it can measure a model with a tokenizer of its own.
        measures_answers: Whether it can measure a model that answers in text alone.
    """

    version: ClassVar[int] = 1
    figure_names: ClassVar[tuple[str, ...]] = ()
    table_names: ClassVar[tuple[str, ...]] = ()
    measures_checkpoints: ClassVar[bool] = False
    measures_answers: ClassVar[bool] = False

    @abstractmethod
    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """Refuse a model or corpus that this scorer cannot measure, before any training.

        Raises:
            InputError: If it cannot; names the scorer and what it can measure.
        """

    @abstractmethod
    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Measure a trained model against its world."""

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:  # noqa: ARG002
        """Metrics to measure repeatedly during training; none by default."""
        return []

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:  # noqa: ARG002
        """Figures to save beside the record, one for each of `figure_names`.

        Args:
            measurement: All metrics of the run, and the arrays and tables of this scorer.
        """
        return {}


Scorers = Mapping[str, ScorerConfig]  # of a run, by name


def mean(name: str, values: np.ndarray, unit: str, **dims: Dim) -> Metric:
    """A metric that is the mean of values, with its standard error.

    Args:
        name: Name of the metric.
        values: One value per measured item.
        unit: Unit of the values.
        dims: Dimensions of the metric, such as the split.
    """
    n, numbers = len(values), values.astype(np.float64)
    stderr = float(numbers.std(ddof=1) / math.sqrt(n)) if n > 1 else None
    return Metric(name=name, value=float(numbers.mean()), unit=unit, n=n, stderr=stderr, dims=dims)


def require_causal(name: str, model: "LanguageModel", fault: str) -> None:
    """Require a causal model.

    Args:
        name: Name of the scorer.
        model: The model to be measured.
        fault: What a model that is not causal cannot do.

    Raises:
        InputError: If the model is not causal.
    """
    if not model.is_causal:
        raise InputError(f"eval={name} needs a causal model, and this model {fault}")


def require_generation(model: "LanguageModel") -> None:
    """Require that a decoder of physlm has a decoding state.

    Raises:
        InputError: If one of its mixers defines none.
    """
    from physlm.models.decoder import Decoder

    if isinstance(model, Decoder):
        model.new_states()


def require_window(model: "LanguageModel", what: str, n_tokens: int, *, n_unread: int = 0) -> None:
    """Require that the model's window holds all tokens but the last ``n_unread``.

    Args:
        model: The model that reads them.
        what: What the tokens belong to, for the error.
        n_tokens: Length of the longest sequence.
        n_unread: How many tokens at its end are predicted but never read.

    Raises:
        InputError: If the model has fewer learned positions.
    """
    if model.longest_window is not None and n_tokens - n_unread > model.longest_window:
        raise InputError(
            f"{what} have up to {n_tokens} tokens, and learned positions end at "
            f"data.seq_len={model.longest_window}; raise it or use model.position=rope"
        )


def require_temperature(temperature: float) -> None:
    """Require a temperature that is finite and not negative.

    Raises:
        InputError: If it is not.
    """
    if not 0 <= temperature < math.inf:
        raise InputError(
            f"temperature={temperature}; must be finite and not negative, 0 for greedy"
        )


def sample(
    values: Int64[np.ndarray, " values"], n_most: int, rng: np.random.Generator
) -> Int64[np.ndarray, " sampled"]:
    """All of the sorted values, or a sorted random sample of ``n_most`` of them."""
    return values if len(values) <= n_most else np.sort(rng.permutation(values)[:n_most])
