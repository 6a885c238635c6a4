"""Alarms of a monitor: values outside of what right texts have at the same length."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from numpy.lib.stride_tricks import sliding_window_view

from physlm.errors import InputError

_FEWEST = 10  # right texts of a length at which deviations are known


@dataclass(frozen=True, slots=True)
class Alarm:
    """When a monitored value raises an alarm.

    Values are compared at equal length only: those of right texts set the median and the spread of
    each length. A deviation is the distance from the median over the spread to that side; an
    alarm is raised at the first token at which the last ``n_outside`` deviations all exceed the
    threshold.

    Attributes:
        median: Median of right texts, at each length.
        spread: Distance of the lower and upper quantile from the median, at each length; infinite
            at lengths that too few right texts have.
        threshold: Deviation above which an alarm is raised.
        n_outside: Tokens in a row that have to be outside.
    """

    median: Float[np.ndarray, " lengths"]
    spread: Float[np.ndarray, "2 lengths"]
    threshold: float
    n_outside: int

    def positions(self, values: Float[np.ndarray, "texts lengths"]) -> Int64[np.ndarray, " texts"]:
        """Index of the length at which each text raises its first alarm; -1 for none.

        Args:
            values: After each token; NaN beyond the end of a text.
        """
        is_raised = _persistent(self.deviations(values), self.n_outside) > self.threshold
        first = is_raised.argmax(axis=1) + self.n_outside - 1
        return np.where(is_raised.any(axis=1), first, -1).astype(np.int64)

    def deviations(
        self, values: Float[np.ndarray, "texts lengths"]
    ) -> Float[np.ndarray, "texts lengths"]:
        """Distances from the median over the spread to that side; 0 beyond the end of a text."""
        apart = np.nan_to_num(values - self.median)
        low, high = self.spread
        found: np.ndarray = np.abs(apart) / np.where(apart < 0, low, high)
        return found


def calibrated(
    values: Float[np.ndarray, "texts lengths"], *, false_alarms: float, n_outside: int = 1
) -> Alarm:
    """The alarm that a given fraction of right texts raises by mistake.

    Args:
        values: Values of right texts, after each token from the first length that is watched; NaN
            beyond the end of a text.
        false_alarms: Fraction of these texts that may raise an alarm at any of their tokens.
        n_outside: Tokens in a row that have to be outside.

    Raises:
        InputError: If the texts are too few for that fraction, or shorter than ``n_outside``.
    """
    if len(values) * false_alarms < 1:
        raise InputError(
            f"false_alarms={false_alarms} of {len(values)} right texts is less than one text; "
            "raise n_problems or false_alarms"
        )
    if not 1 <= n_outside <= values.shape[1]:
        raise InputError(
            f"n_outside={n_outside}; must be from 1 to {values.shape[1]}, the tokens watched"
        )
    median, spread = np.zeros(values.shape[1]), np.full((2, values.shape[1]), math.inf)
    for i, column in enumerate(values.T):
        known = column[~np.isnan(column)]
        if len(known) >= _FEWEST:
            low, median[i], high = np.quantile(known, (0.1, 0.5, 0.9))
            least = 1e-9 + 1e-6 * abs(median[i])  # of a value that is the same in all texts
            spread[:, i] = max(median[i] - low, least), max(high - median[i], least)
    alarm = Alarm(median, spread, 0.0, n_outside)
    worst = _persistent(alarm.deviations(values), n_outside).max(axis=1)
    return Alarm(median, spread, float(np.quantile(worst, 1 - false_alarms)), n_outside)


def _persistent(
    deviations: Float[np.ndarray, "texts lengths"], n: int
) -> Float[np.ndarray, "texts ends"]:
    """The smallest of the last n deviations, at each length that has as many."""
    least: np.ndarray = sliding_window_view(deviations, n, axis=1).min(axis=2)
    return least
