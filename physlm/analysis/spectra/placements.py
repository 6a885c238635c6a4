"""The area under the ROC curve with its standard error, and differences of two of them."""

import math

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from physlm.measurement import Dim, Metric

Scores = Float[np.ndarray, " texts"]
IsRight = Bool[np.ndarray, " texts"]


def auc_metric(name: str, scores: Scores, is_right: IsRight, **dims: Dim) -> Metric:
    """Probability that a right text has the higher score than a wrong one, as a metric."""
    return area_metric(name, placements(scores, is_right), is_right, **dims)


def auc_gain(name: str, scores: Scores, other: Scores, is_right: IsRight, **dims: Dim) -> Metric:
    """Difference of the areas of two scores of the same texts, as a metric.

    Args:
        name: Name of the metric.
        scores: The first score.
        other: The score that it is compared with.
        is_right: Label of each text.
        dims: Dimensions of the metric.
    """
    difference = placements(scores, is_right) - placements(other, is_right)
    return area_metric(name, difference, is_right, **dims)


def placements(scores: Scores, is_right: IsRight) -> Scores:
    """The fraction of the texts of the other label on the correct side of each text.

    Their mean over right texts is the area, and so is that over wrong ones; ties count half.

    Source:
        DeLong, DeLong and Clarke-Pearson (1988), Comparing the areas under two or more correlated
        receiver operating characteristic curves.
    """
    found = np.empty(len(scores))
    all_ranks = stats.rankdata(scores)
    for own in (is_right, ~is_right):
        n_below = all_ranks[own] - stats.rankdata(scores[own])
        found[own] = n_below / (~own).sum()
    found[~is_right] = 1 - found[~is_right]
    return found


def placements_within(
    scores: Scores, is_right: IsRight, folds: Int[np.ndarray, " texts"]
) -> Scores:
    """The same among the texts of the own fold.

    Scores of classifiers that were trained on different texts have different offsets and scales.
    """
    found = np.empty(len(scores))
    for fold in np.unique(folds):
        own = folds == fold
        found[own] = placements(scores[own], is_right[own])
    return found


def area_metric(name: str, placed: Scores, is_right: IsRight, **dims: Dim) -> Metric:
    """The area, or a difference of two, from the placements of all texts, as a metric."""
    right, wrong = placed[is_right], placed[~is_right]
    error = math.sqrt(right.var(ddof=1) / len(right) + wrong.var(ddof=1) / len(wrong))
    value, n = float(right.mean()), len(placed)
    return Metric(name=name, value=value, unit="fraction", n=n, stderr=error, dims=dims)
