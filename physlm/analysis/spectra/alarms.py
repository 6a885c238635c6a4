"""Alarms of a monitor: values outside of what right texts have at the same length."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from numpy.lib.stride_tricks import sliding_window_view

from physlm.errors import InputError


@dataclass(frozen=True, slots=True)
class Alarm:
    """When a monitored value raises an alarm.

    Values are compared at equal length only: those of right texts set the median and the spread of
    each length. A deviation is the distance from the median over the spread to that side; an
    alarm is raised at the first token at which the last ``n_outside`` deviations all exceed the
    threshold.

    Attributes:
        median: Of right texts, at each length.
        spread: Distance of the lower and upper quantile from the median, at each length.
        threshold: Deviation above which an alarm is raised.
        n_outside: Tokens in a row that have to be outside.
    """

    median: Float[np.ndarray, " lengths"]
    spread: Float[np.ndarray, "2 lengths"]
    threshold: float
    n_outside: int

    def positions(self, values: Float[np.ndarray, "texts lengths"]) -> Int64[np.ndarray, " texts"]:
        """Index of the length at which each text raises its first alarm; -1 for none."""
        is_raised = _persistent(self._deviations(values), self.n_outside) > self.threshold
        first = is_raised.argmax(axis=1) + self.n_outside - 1
        return np.where(is_raised.any(axis=1), first, -1).astype(np.int64)

    def _deviations(self, values: np.ndarray) -> np.ndarray:
        apart = values - self.median
        return np.abs(apart) / np.where(apart < 0, *self.spread)


def calibrated(
    values: Float[np.ndarray, "texts lengths"], *, false_alarms: float, n_outside: int = 1
) -> Alarm:
    """The alarm that a given share of right texts raises by mistake.

    Args:
        values: Of right texts, after each token from the first length that is watched.
        false_alarms: Share of these texts that may raise an alarm at any of their tokens.
        n_outside: Tokens in a row that have to be outside.

    Raises:
        InputError: If the texts are too few for that share, or shorter than ``n_outside``.
    """
    if len(values) * false_alarms < 1:
        raise InputError(
            f"false_alarms={false_alarms} of {len(values)} right texts is less than one text; "
            "raise n_problems or false_alarms"
        )
    if not 1 <= n_outside <= values.shape[1]:
        raise InputError(f"n_outside={n_outside}; texts are watched at {values.shape[1]} tokens")
    low, median, high = np.quantile(values, (0.1, 0.5, 0.9), axis=0)
    least = 1e-9 + 1e-6 * np.abs(median)  # of a value that is the same in all texts
    spread = np.maximum(np.stack([median - low, high - median]), least)
    alarm = Alarm(median, spread, 0.0, n_outside)
    worst = _persistent(alarm._deviations(values), n_outside).max(axis=1)
    return Alarm(median, spread, float(np.quantile(worst, 1 - false_alarms)), n_outside)


def _persistent(
    deviations: Float[np.ndarray, "texts lengths"], n: int
) -> Float[np.ndarray, "texts ends"]:
    """The smallest of the last n deviations, at each length that has as many."""
    return sliding_window_view(deviations, n, axis=1).min(axis=2)
