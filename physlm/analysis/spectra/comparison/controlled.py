"""Differences of two groups at equal length and likelihood: analysis of covariance."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from physlm.analysis.spectra.comparison.design import (
    control_terms,
    length_terms,
    orthonormal,
    without,
)
from physlm.analysis.spectra.comparison.effects import Statistics
from physlm.analysis.spectra.comparison.groups import Texts, sums_of_problems

_DETERMINED = 1e-8  # of the variance of label or column; a smaller residual is rounding


def controlled_effects(values: Float[np.ndarray, "texts columns"], texts: Texts) -> Statistics:
    """Effects with length, or with length, log-probability and entropy held equal.

    ``d_length`` and ``d_controls`` are each also measured on the texts in the overlap of the two
    groups' lengths alone (``_overlap``), each with the ends of its 95% interval (``_low``,
    ``_high``). NaN where an effect is undefined.
    """
    found: Statistics = {}
    has_length = why_no_length_control(texts) is None
    in_overlap = length_overlap(texts)
    for suffix, is_kept in (("", np.full(len(values), has_length)), ("_overlap", in_overlap)):
        kept, own = texts.at(is_kept), values[is_kept]
        for name, terms in (("d_length", length_terms), ("d_controls", control_terms)):
            effect = np.full((3, values.shape[1]), np.nan)
            if min(kept.n_of_label) >= 2 and kept.n_problems >= 2:
                effect = adjusted_effect(own, kept, terms(kept))
            found |= zip(
                (f"{name}{suffix}", f"{name}{suffix}_low", f"{name}{suffix}_high"),
                effect,
                strict=True,
            )
    return found


def adjusted_effect(
    values: Float[np.ndarray, "texts columns"],
    texts: Texts,
    terms: Float[np.ndarray, "texts terms"],
) -> Float[np.ndarray, "3 columns"]:
    """Effect of the label beside other terms, and the ends of its 95% interval.

    The effect is the coefficient of the label over the standard deviation of the residuals. Its
    standard error is clustered by problem, with the factor G / (G - 1) (n - 1) / (n - k) for G
    problems and k coefficients, and the interval is Student's with G - 1 degrees of freedom; the
    deviation counts as known. NaN if the terms determine the label or a column.

    Source:
        Liang and Zeger (1986), Longitudinal data analysis using generalized linear models. Terms
        are removed from label and columns alike, which leaves coefficient, residuals and clustered
        error as they are (Frisch and Waugh, 1933).
    """
    basis = orthonormal(terms)
    n, n_coefficients = len(values), basis.shape[1] + 1
    label = without(texts.is_valid[:, None].astype(np.float64), basis)[:, 0]
    norm = float(label @ label)
    if n <= n_coefficients or norm <= _DETERMINED * n:
        return np.full((3, values.shape[1]), np.nan)
    rest = without(values, basis)
    coefficient = label @ rest / norm
    residual = rest - np.outer(label, coefficient)
    deviation = np.sqrt((residual**2).sum(axis=0) / (n - n_coefficients))
    deviation[deviation**2 <= _DETERMINED * values.var(axis=0)] = np.nan
    scores = sums_of_problems(label[:, None] * residual, texts)
    n_problems = len(scores)
    factor = n_problems / (n_problems - 1) * (n - 1) / (n - n_coefficients)
    error = np.sqrt(factor * (scores**2).sum(axis=0)) / norm
    margin = stats.t.ppf(0.975, n_problems - 1) * error
    ends = np.stack([coefficient, coefficient - margin, coefficient + margin])
    effect: np.ndarray = ends / deviation
    return effect


def why_no_length_control(texts: Texts) -> str | None:
    """Why there is no effect at equal length; None if there is."""
    if length_overlap(texts).any():
        return None
    valid, invalid = texts.n_tokens[texts.is_valid], texts.n_tokens[~texts.is_valid]
    return (
        f"the length determines the label (valid texts have {valid.min():g} to {valid.max():g} "
        f"tokens, invalid ones {invalid.min():g} to {invalid.max():g}): d_length is undefined"
    )


def length_overlap(texts: Texts) -> Bool[np.ndarray, " texts"]:
    """Whether the length of each text lies within the range of both groups."""
    valid, invalid = texts.n_tokens[texts.is_valid], texts.n_tokens[~texts.is_valid]
    least, most = max(valid.min(), invalid.min()), min(valid.max(), invalid.max())
    inside: np.ndarray = (texts.n_tokens >= least) & (texts.n_tokens <= most)
    return inside
