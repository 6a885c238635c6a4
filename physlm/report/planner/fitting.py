"""Fitting the capacity law to measured runs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from physlm.report.planner.measured_law import REFERENCE, Fit
from physlm.rng import stream

N_RESAMPLES = 100

# Two bits per parameter, half of them after 100 exposures, and a bend where a model is full.
_START = Fit(2.0, 10.0, 90.0, 0.3, 1.0, 5.0)
# Weak regularisation towards the start, for samples that do not determine a value.
_PULL = 0.02
_MOST_SHARP = 20.0
_FEWEST_LEFT = 1e-3  # exposures after the onset
_FULL = 0.25  # elasticity of the fraction below which a model counts as full


class Configuration(NamedTuple):
    """Runs that differ in their seed only.

    Attributes:
        bits: Bits of names and values of the world.
        parameters: Of the model.
        exposures: Times that each fact was seen.
        fractions: Fraction of the bits that each run stores, all above 0.
    """

    bits: float
    parameters: float
    exposures: float
    fractions: tuple[float, ...]

    @property
    def fraction(self) -> float:
        """The mean over the runs."""
        return sum(self.fractions) / len(self.fractions)


class Fitted(NamedTuple):
    """The law fitted to some configurations, and their spread around it.

    Attributes:
        fit: Fitted values.
        resampled: Fitted values of bootstrap samples of the configurations.
        spread: Standard deviation of the logarithm of a run's load around the law.
        full_spread: That of the logarithm of the fraction where a model is nearly full.
    """

    fit: Fit
    resampled: tuple[Fit, ...]
    spread: float
    full_spread: float


def fitted(runs: Sequence[Configuration], *, n_resamples: int = N_RESAMPLES) -> Fitted:
    """The least-squares law of some configurations, each with the same weight.

    Args:
        runs: The configurations; at least as many as the law has values.
        n_resamples: Number of bootstrap samples, for its uncertainty.

    Raises:
        ValueError: If there are too few configurations, or one has a fraction that is not above 0.
    """
    if len(runs) <= len(Fit._fields):
        raise ValueError(
            f"{len(runs)} configurations; the law needs more than {len(Fit._fields)} to be fitted"
        )
    if any(min(one.fractions) <= 0 for one in runs):
        raise ValueError("a run that stores nothing has no logarithm; leave it out")
    best = _closest(runs, _START)
    rng = stream(0, "draws of configurations")
    draws = [rng.integers(0, len(runs), len(runs)) for _ in range(n_resamples)]
    resampled = tuple(_closest([runs[i] for i in draw], best) for draw in draws)
    return Fitted(best, resampled, _spread(runs, best), _full_spread(runs, best))


def predicted(fit: Fit, one: Configuration) -> float:
    """The fraction that a law predicts for a configuration."""
    return fit.fraction(math.exp(fit.log_load(one.bits, one.parameters, one.exposures)))


def _closest(runs: Sequence[Configuration], start: Fit) -> Fit:
    """The least squares of relative errors of the mean fractions."""
    sizes = np.array([[one.parameters, one.bits, one.exposures] for one in runs]).T
    fractions = np.log([one.fraction for one in runs])

    def errors(values: np.ndarray) -> np.ndarray:
        found = _log_fractions(values, *sizes) - fractions
        return np.concatenate([found, _PULL * (values - _values(_START))])

    ends = np.full(len(start), np.inf)
    ends[-1] = math.log(_MOST_SHARP)
    found = least_squares(errors, np.minimum(_values(start), ends - 1e-3), bounds=(-np.inf, ends))
    return _fit(found.x)


def _log_fractions(
    values: np.ndarray, parameters: np.ndarray, bits: np.ndarray, exposures: np.ndarray
) -> np.ndarray:
    """Logarithms of the stored fractions, as in `Fit` but of many sizes at once."""
    capacity, onset, half, power, steepness, sharpness = np.exp(values)
    fewer = (parameters / REFERENCE) ** -power
    left = np.maximum(exposures - onset * fewer, _FEWEST_LEFT)
    loads = np.log(capacity * parameters / bits) - np.log1p((half * fewer / left) ** steepness)
    result: np.ndarray = loads - np.logaddexp(0.0, sharpness * loads) / sharpness
    return result


def _values(fit: Fit) -> np.ndarray:
    """The values as logarithms, since all are above 0."""
    result: np.ndarray = np.log(np.array(fit))
    return result


def _fit(values: np.ndarray) -> Fit:
    return Fit(*np.exp(values).tolist())


def _spread(runs: Sequence[Configuration], fit: Fit) -> float:
    """The spread of loads that explains the errors of the runs.

    Near saturation an error of the load hardly changes the fraction, so that saturated runs hardly
    determine the spread, and have little weight.
    """
    squares = sum(_square(one, fit) for one in runs)
    elasticities = sum(_elasticity(one, fit) ** 2 for one in runs)
    freedom = (len(runs) - len(fit)) / len(runs)
    return math.sqrt(squares / elasticities / freedom)


def _full_spread(runs: Sequence[Configuration], fit: Fit) -> float:
    """The spread of stored fractions where a model is nearly full; 0 if none is."""
    squares = [_square(one, fit) for one in runs if _elasticity(one, fit) < _FULL]
    return math.sqrt(sum(squares) / len(squares)) if squares else 0.0


def _square(one: Configuration, fit: Fit) -> float:
    """Mean square of the logarithmic errors of a configuration's runs."""
    expected = predicted(fit, one)
    return sum(math.log(fraction / expected) ** 2 for fraction in one.fractions) / len(
        one.fractions
    )


def _elasticity(one: Configuration, fit: Fit) -> float:
    """Derivative of the logarithm of the fraction by that of the load, 1 - f^k here."""
    return float(1 - predicted(fit, one) ** fit.sharpness)
