"""95% intervals of means, differences and ratios over a few runs."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from physlm.rng import stream

_CONFIDENCE = 0.95
_N_RESAMPLES = 10_000


def mean_interval(sample: np.ndarray) -> tuple[float, float] | None:
    """Student's interval of a mean; a single point if all values are equal, None for one value."""
    if len(sample) < 2:
        return None
    if np.ptp(sample) == 0:
        return float(sample[0]), float(sample[0])
    interval = stats.ttest_1samp(sample, 0.0).confidence_interval(_CONFIDENCE)
    return float(interval.low), float(interval.high)


def proportion_interval(sample: np.ndarray) -> tuple[float, float]:
    """Exact (Clopper-Pearson) interval of a proportion, of values that are 0 or 1."""
    interval = stats.binomtest(int(sample.sum()), len(sample)).proportion_ci(_CONFIDENCE, "exact")
    return float(interval.low), float(interval.high)


def within(
    bounds: tuple[float, float] | None, possible: tuple[float, float]
) -> tuple[float, float] | None:
    """An interval clipped to the possible values, such as -1 to 1 of a correlation.

    Clipping keeps the coverage, since the true value is always within the possible values.

    Source:
        Mandelkern (2002), Setting confidence intervals for bounded parameters, Statistical Science
        17. Fisher's z is undefined at a rank correlation of 1, which is common with few texts.
    """
    if bounds is None:
        return None
    low, high = np.clip(bounds, *possible).tolist()
    return low, high


def compared(
    a: np.ndarray, b: np.ndarray, by: str, *, paired: bool = False
) -> tuple[float, tuple[float, float] | None]:
    """Difference of means or ratio of geometric means, and its interval (None for one run).

    Args:
        a: Values of the first group.
        b: Values of the second group.
        by: ``difference`` or ``ratio``.
        paired: Entries of one index belong together: Student's interval of their differences
            instead of Welch's.
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


def projected_interval(
    n: int, groups: Sequence[np.ndarray], by: str = "difference", *, paired: bool = False
) -> tuple[float, float]:
    """Student's or Welch's interval of ``n`` values in each group with these means and variances.

    Args:
        n: Number of values in each group, at least 2.
        groups: One group for the interval of its mean, or two to compare, of at least 2 values.
        by: ``difference`` or ``ratio`` of two groups.
        paired: Entries of one index belong together.
    """
    if by == "ratio":
        groups = [np.log(group) for group in groups]
    if paired:
        groups = [groups[0] - groups[1]]
    means = [group.mean() for group in groups]
    variances = np.array([group.var(ddof=1) for group in groups])
    half = 0.0
    if variances.any():
        df = (n - 1) * variances.sum() ** 2 / (variances**2).sum()
        half = stats.t.ppf((1 + _CONFIDENCE) / 2, df) * np.sqrt(variances.sum() / n)
    centre = means[0] - sum(means[1:])
    ends = np.array([centre - half, centre + half])
    low, high = (np.exp(ends) if by == "ratio" else ends).tolist()
    return low, high


def resampled_interval(
    a: np.ndarray, b: np.ndarray, by: str, *, paired: bool = False
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a difference or ratio of means.

    Args:
        a: Values of the first group.
        b: Values of the second group.
        by: ``difference`` or ``ratio``.
        paired: Entries of one index belong together, and are resampled together.
    """
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
