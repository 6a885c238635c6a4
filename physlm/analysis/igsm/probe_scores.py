"""Scores of predicted classes, with standard errors over problems."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int64

Counts = Int64[np.ndarray, "problems classes classes"]  # by true class, then predicted class
Statistic = Callable[[Int64[np.ndarray, "*any classes classes"]], Float[np.ndarray, "*any"]]


def confusion(
    problems: Int64[np.ndarray, " queries"],
    classes: Int64[np.ndarray, " queries"],
    predicted: Int64[np.ndarray, " queries"],
    n_classes: int,
) -> Counts:
    """Queries of each problem, by true class and predicted class.

    Args:
        problems: Number of each query's problem.
        classes: True class of each query.
        predicted: Predicted class of each query.
        n_classes: Number of classes.
    """
    own, numbers = np.unique(problems, return_inverse=True)
    counts = np.zeros((len(own), n_classes, n_classes), np.int64)
    np.add.at(counts, (numbers, classes, predicted), 1)
    return counts


def accuracy(counts: Int64[np.ndarray, "*any classes classes"]) -> Float[np.ndarray, "*any"]:
    """The fraction of right predictions."""
    return np.asarray(np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1)))


def majority(counts: Int64[np.ndarray, "*any classes classes"]) -> Float[np.ndarray, "*any"]:
    """The accuracy of always predicting the most common class."""
    return np.asarray(counts.sum(-1).max(-1) / counts.sum((-2, -1)))


def matthews(counts: Int64[np.ndarray, "*any classes classes"]) -> Float[np.ndarray, "*any"]:
    """Matthews' correlation of predicted and true classes, of any number of classes.

    It is 1 if all are right, and 0 if predictions do not depend on the true class, also if all
    predictions are the same.

    Source:
        Gorodkin (2004), Comparing two K-category assignments by a K-category correlation
        coefficient.
    """
    numbers = counts.astype(np.float64)
    n, right = numbers.sum((-2, -1)), np.trace(numbers, axis1=-2, axis2=-1)
    true, predicted = numbers.sum(-1), numbers.sum(-2)
    covariance = right * n - (true * predicted).sum(-1)
    spread = np.sqrt((n**2 - (true**2).sum(-1)) * (n**2 - (predicted**2).sum(-1)))
    # With a single class, the covariance is 0, too.
    return np.asarray(covariance / np.where(spread > 0, spread, 1.0))


def over_problems(statistic: Statistic, *counts: Counts) -> tuple[float, float | None]:
    """A statistic of all problems, or the difference of two, and its standard error.

    The error is the jackknife's, which leaves out one problem at a time: queries about one problem
    are not independent. It is None for a single problem, or if the statistic is undefined without
    one of them.

    Args:
        statistic: Statistic of counts that are summed over problems.
        counts: Counts of one set of predictions, or of two about the same problems.

    Source:
        Efron and Stein (1981), The jackknife estimate of variance.
    """
    first, *others = [(statistic(own.sum(0)), _left_out(statistic, own)) for own in counts]
    value, left_out = first
    for other_value, other_left_out in others:
        value, left_out = value - other_value, left_out - other_left_out
    n = len(left_out)
    if n < 2 or not np.isfinite(left_out).all():
        return float(value), None
    return float(value), math.sqrt((n - 1) * left_out.var())


def _left_out(statistic: Statistic, counts: Counts) -> Float[np.ndarray, " problems"]:
    with np.errstate(invalid="ignore"):  # a statistic may be undefined without a problem
        return statistic(counts.sum(0) - counts)
