"""How large an effect must be to be found, and how probably one is."""

import numpy as np
from jaxtyping import Float
from scipy import stats

_TWO_SIDED = 0.975
_POWER = 0.8


def smallest_detectable_d(n_valid: int, n_invalid: int) -> float:
    """The Cohen's d that a test at the level of 5% finds with a power of 80%.

    About 2.8 sqrt(2 / n) for two groups of n independent texts each.

    Source:
        Cohen (1988), Statistical power analysis for the behavioral sciences, section 2.4; the
        normal approximation.
    """
    units = stats.norm.ppf(_TWO_SIDED) + stats.norm.ppf(_POWER)
    return float(units * np.sqrt(1 / n_valid + 1 / n_invalid))


def power(
    effect: Float[np.ndarray, " effects"],
    low: Float[np.ndarray, " effects"],
    high: Float[np.ndarray, " effects"],
) -> Float[np.ndarray, " effects"]:
    """Probability that the 95% interval of an effect of this size excludes 0.

    Args:
        effect: Taken for the true one.
        low: Lower end of its interval, whose width tells the standard error.
        high: Upper end.
    """
    critical = stats.norm.ppf(_TWO_SIDED)
    width = high - low
    units = np.divide(
        2 * critical * np.abs(effect), width, out=np.full_like(width, np.nan), where=width > 0
    )
    found: np.ndarray = stats.norm.sf(critical - units) + stats.norm.cdf(-critical - units)
    return found
