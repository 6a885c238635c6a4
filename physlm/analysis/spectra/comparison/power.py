"""The smallest effect that a test can detect."""

import numpy as np
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
