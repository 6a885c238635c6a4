"""Differences between two groups before any control: effect sizes, ranks, tests."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import special, stats

Statistics = dict[str, Float[np.ndarray, " columns"]]
_NO_SPREAD = 1e-9  # of the range of a column


def raw_effects(
    values: Float[np.ndarray, "texts columns"], is_valid: Bool[np.ndarray, " texts"]
) -> Statistics:
    """Sizes and tests of the difference between valid and invalid texts, for each column.

    ``d_raw`` is Cohen's d, the difference of the means (valid minus invalid) over the pooled
    standard deviation; ``hedges_g`` is free of its bias in small groups. ``auc`` is the probability
    that a valid text has the larger value. d and Welch's p are NaN for groups without spread.

    Args:
        values: One row per text; no column is constant.
        is_valid: The label.

    Source:
        Hedges (1981), Distribution theory for Glass's estimator of effect size.
    """
    valid, invalid = values[is_valid], values[~is_valid]
    pooled = _pooled_deviation(valid, invalid)
    d_raw = (valid.mean(axis=0) - invalid.mean(axis=0)) / pooled
    welch_p = np.full(values.shape[1], np.nan)
    has_spread = ~np.isnan(pooled)
    test = stats.ttest_ind(valid[:, has_spread], invalid[:, has_spread], equal_var=False)
    welch_p[has_spread] = test.pvalue
    return {
        "mean_valid": valid.mean(axis=0),
        "mean_invalid": invalid.mean(axis=0),
        "sd_valid": valid.std(axis=0, ddof=1),
        "sd_invalid": invalid.std(axis=0, ddof=1),
        "d_raw": d_raw,
        "hedges_g": d_raw * _unbiasing(len(values) - 2),
        "auc": auc(values, is_valid),
        "mann_whitney_p": mann_whitney_p(valid, invalid),
        "welch_p": welch_p,
    }


def auc(
    values: Float[np.ndarray, "texts columns"], is_valid: Bool[np.ndarray, " texts"]
) -> Float[np.ndarray, " columns"]:
    """Probability that a valid text has a larger value than an invalid one; ties count half."""
    ranks = stats.rankdata(values, axis=0)
    n_valid = int(is_valid.sum())
    n_pairs = n_valid * (len(is_valid) - n_valid)
    area: np.ndarray = (ranks[is_valid].sum(axis=0) - n_valid * (n_valid + 1) / 2) / n_pairs
    return area


def best_threshold_accuracy(
    values: Float[np.ndarray, "texts columns"], is_valid: Bool[np.ndarray, " texts"]
) -> Float[np.ndarray, " columns"]:
    """Accuracy of the best cut between neighbouring values, in either direction.

    The cut is chosen on the texts that it is scored on, so the accuracy is in-sample: too high,
    especially for few texts.
    """
    order = np.argsort(values, axis=0)
    ordered, label = np.take_along_axis(values, order, axis=0), is_valid[order]
    n = len(values)
    # Right when what is above the cut is called valid: invalid ones below and valid ones above.
    n_right = np.cumsum(np.where(label, -1, 1), axis=0)[:-1] + is_valid.sum()
    is_cut = ordered[1:] > ordered[:-1]
    best: np.ndarray = np.where(is_cut, np.maximum(n_right, n - n_right), 0).max(axis=0) / n
    return best


def length_correlation(
    values: Float[np.ndarray, "texts columns"], n_tokens: Float[np.ndarray, " texts"]
) -> Float[np.ndarray, " columns"]:
    """Spearman's rank correlation of each column with the length; NaN if all lengths are equal."""
    if np.ptp(n_tokens) == 0:
        return np.full(values.shape[1], np.nan)
    ranks = stats.rankdata(np.column_stack([n_tokens, values]), axis=0)
    ranks = (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)
    correlation: np.ndarray = ranks[:, 0] @ ranks[:, 1:] / len(ranks)
    return correlation


def _pooled_deviation(
    valid: Float[np.ndarray, "valid columns"], invalid: Float[np.ndarray, "invalid columns"]
) -> Float[np.ndarray, " columns"]:
    """Pooled standard deviation of both groups; NaN where there is none."""
    squares = sum(((own - own.mean(axis=0)) ** 2).sum(axis=0) for own in (valid, invalid))
    pooled = np.sqrt(squares / (len(valid) + len(invalid) - 2))
    extent = np.maximum(valid.max(axis=0), invalid.max(axis=0)) - np.minimum(
        valid.min(axis=0), invalid.min(axis=0)
    )
    return np.where(pooled > _NO_SPREAD * extent, pooled, np.nan)


def has_ties(values: Float[np.ndarray, "n columns"]) -> Bool[np.ndarray, " columns"]:
    """Whether a value occurs more than once in a column."""
    tied: np.ndarray = (np.diff(np.sort(values, axis=0), axis=0) == 0).any(axis=0)
    return tied


def mann_whitney_p(
    valid: Float[np.ndarray, "valid columns"], invalid: Float[np.ndarray, "invalid columns"]
) -> Float[np.ndarray, " columns"]:
    """The p-value of the rank test of both groups, exact for few values without ties."""
    # scipy takes one method for all columns: ties in one would cost the others their exact test.
    is_tied = has_ties(np.concatenate([valid, invalid]))
    p = np.empty(len(is_tied))
    for own, method in ((is_tied, "asymptotic"), (~is_tied, "auto")):
        if own.any():
            p[own] = stats.mannwhitneyu(valid[:, own], invalid[:, own], method=method).pvalue
    return p


def _unbiasing(degrees: int) -> float:
    """Hedges' exact factor."""
    return float(
        np.exp(special.gammaln(degrees / 2) - special.gammaln((degrees - 1) / 2))
        / np.sqrt(degrees / 2)
    )
