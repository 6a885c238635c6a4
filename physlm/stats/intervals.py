"""95% intervals of means, differences and ratios over a few runs."""

import numpy as np
from scipy import stats

from physlm.rng import stream

_CONFIDENCE = 0.95
_N_RESAMPLES = 10_000


def mean_interval(sample: np.ndarray) -> tuple[float, float] | None:
    """Of a mean; no wider than a point where all values are the same."""
    if len(sample) < 2:
        return None
    if np.ptp(sample) == 0:
        return float(sample[0]), float(sample[0])
    interval = stats.ttest_1samp(sample, 0.0).confidence_interval(_CONFIDENCE)
    return float(interval.low), float(interval.high)


def within(
    bounds: tuple[float, float] | None, possible: tuple[float, float]
) -> tuple[float, float] | None:
    """The part of an interval where the quantity can be, such as -1 to 1 of a correlation.

    It holds the true value as often as the whole does, since that is never elsewhere.

    Source:
        Mandelkern (2002), Setting confidence intervals for bounded parameters, Statistical Science
        17. Fisher's z has no value at a rank correlation of 1, which few texts often have.
    """
    if bounds is None:
        return None
    low, high = np.clip(bounds, *possible).tolist()
    return low, high


def compared(
    a: np.ndarray, b: np.ndarray, by: str, *, paired: bool = False
) -> tuple[float, tuple[float, float] | None]:
    """Difference or ratio of two means, and its interval.

    Student's of the differences where entries of one number belong together, else Welch's.
    """
    if by == "ratio":
        a, b = np.log(a), np.log(b)
    back = np.exp if by == "ratio" else float
    value = float(back(a.mean() - b.mean()))
    if min(len(a), len(b)) < 2:
        return value, None
    bounds = mean_interval(a - b) if paired else _welch(a, b)
    return value, bounds and (float(back(bounds[0])), float(back(bounds[1])))


def _welch(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(_CONFIDENCE)
    return float(interval.low), float(interval.high)


def resampled_interval(
    a: np.ndarray, b: np.ndarray, by: str, *, paired: bool = False
) -> tuple[float, float] | None:
    """The interval of a difference or ratio of means between percentiles of resampled ones."""
    if min(len(a), len(b)) < 2:
        return None
    if by == "ratio":
        a, b = np.log(a), np.log(b)
    rng = stream(0, "bootstrap")
    groups = (a - b, np.zeros(1)) if paired else (a, b)
    means = [rng.choice(values, (_N_RESAMPLES, len(values))).mean(axis=1) for values in groups]
    ends = np.quantile(means[0] - means[1], [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    low, high = (np.exp(ends) if by == "ratio" else ends).tolist()
    return low, high
