"""Means over items in clusters, such as the tokens of documents."""

import math

import numpy as np


def ratio_of_sums(totals: np.ndarray, counts: np.ndarray) -> tuple[float, float | None]:
    """The mean over all items, and its standard error if the items of a cluster are dependent.

    Args:
        totals: Sum over the items of each cluster.
        counts: Items of each cluster.

    Returns:
        The ratio of sums, and its standard error by linearisation; None for a single cluster.
    """
    value, n = float(totals.sum() / counts.sum()), len(totals)
    if n < 2:
        return value, None
    residuals = totals - value * counts
    return value, float(math.sqrt(n / (n - 1) * (residuals**2).sum()) / counts.sum())
