"""Accepting texts by a threshold on a metric: how many are right, compared with log-probability."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from physlm.analysis.spectra.comparison.folds import grouped_folds, why_not_validated
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.errors import InputError
from physlm.rng import stream

_N_FOLDS = 5
_SHARES = np.linspace(0.1, 1.0, 10)


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How well a threshold that was chosen on other texts selects the valid ones.

    Attributes:
        accuracy_all: Fraction of valid texts among all.
        accuracy_accepted: Fraction among those on the accepted side of the threshold; None if none
            is.
        accuracy_rejected: Fraction among the others; None if there are none.
        accuracy_log_probability: Fraction among as many texts of each fold, those of the highest
            mean log-probability.
        coverage: Fraction of the texts that are accepted.
        curve: Fractions of valid texts (``metric``, ``log_probability``) among the texts of each
            fold that either score ranks first, at each ``coverage``.
        thresholds: One row per fold: the chosen ``column``, the ``threshold``, and whether larger
            values are accepted (``accepts_larger``).
    """

    accuracy_all: float
    accuracy_accepted: float | None
    accuracy_rejected: float | None
    accuracy_log_probability: float | None
    coverage: float
    curve: pl.DataFrame
    thresholds: pl.DataFrame


def threshold_coverage(
    values: Float[np.ndarray, "texts columns"], texts: Texts, *, seed: int = 0
) -> Coverage:
    """Accept texts by a metric, with column, direction and threshold chosen in training folds.

    The choice maximises Youden's index, the fraction of valid texts that are accepted minus that of
    invalid ones.

    Args:
        values: A column per layer and head to choose from.
        texts: Labels, problems and log-probabilities.
        seed: Seed of the folds.

    Raises:
        InputError: If a value is not finite, or a training fold has texts of one label only.

    Source:
        Youden (1950), Index for rating diagnostic tests.
    """
    if not np.isfinite(values).all():
        raise InputError("a value is not finite; leave out texts or columns without a value")
    folds = grouped_folds(texts, _N_FOLDS, stream(seed, "coverage folds"))
    why_not = why_not_validated(texts, folds)
    if why_not is not None:
        raise InputError(why_not)
    margin, rows = np.empty(len(values)), []
    for fold in np.unique(folds):
        is_test = folds == fold
        rule = _youden(values[~is_test], texts.is_valid[~is_test])
        margin[is_test] = rule.margin(values[is_test])
        rows.append((int(fold), rule.column, rule.threshold, rule.sign > 0))
    accepted, log_probability = margin >= 0, texts.covariates["mean_log_probability"]
    n_accepted = {int(f): int(accepted[folds == f].sum()) for f in np.unique(folds)}
    likeliest = _first(log_probability, folds, n_accepted)
    names = ["fold", "column", "threshold", "accepts_larger"]
    return Coverage(
        accuracy_all=float(texts.is_valid.mean()),
        accuracy_accepted=_share(texts.is_valid[accepted]),
        accuracy_rejected=_share(texts.is_valid[~accepted]),
        accuracy_log_probability=_share(texts.is_valid[likeliest]),
        coverage=float(accepted.mean()),
        curve=_curve({"metric": margin, "log_probability": log_probability}, texts, folds),
        thresholds=pl.DataFrame(rows, schema=names, orient="row"),
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    column: int
    threshold: float
    sign: int

    def margin(self, values: Float[np.ndarray, "texts columns"]) -> Float[np.ndarray, " texts"]:
        """How far each text lies on the accepted side; the threshold itself is accepted."""
        found: np.ndarray = self.sign * (values[:, self.column] - self.threshold)
        return found


def _youden(
    values: Float[np.ndarray, "texts columns"], is_valid: Bool[np.ndarray, " texts"]
) -> _Rule:
    """Column, cut between neighbouring values and direction of the largest index."""
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    step = np.where(is_valid, 1 / is_valid.sum(), -1 / (~is_valid).sum())[order]
    # The index of accepting what lies above a cut is minus the sum of the steps below it.
    index = -np.cumsum(step, axis=0)[:-1]
    index = np.where(ordered[1:] > ordered[:-1], index, 0.0)
    cut, column = np.unravel_index(np.abs(index).argmax(), index.shape)
    threshold = (ordered[cut, column] + ordered[cut + 1, column]) / 2
    return _Rule(int(column), float(threshold), 1 if index[cut, column] >= 0 else -1)


def _first(
    score: Float[np.ndarray, " texts"], folds: np.ndarray, n_of_fold: dict[int, int]
) -> Bool[np.ndarray, " texts"]:
    """The given number of texts with the largest scores in each fold; ties by order."""
    is_first = np.zeros(len(score), dtype=np.bool_)
    for fold, n in n_of_fold.items():
        own = np.flatnonzero(folds == fold)
        is_first[own[np.argsort(-score[own], kind="stable")[:n]]] = True
    return is_first


def _curve(
    scores: dict[str, Float[np.ndarray, " texts"]], texts: Texts, folds: np.ndarray
) -> pl.DataFrame:
    rows = []
    for share in _SHARES:
        n_of_fold = {int(f): round(share * int(np.sum(folds == f))) for f in np.unique(folds)}
        accepted = {name: _first(score, folds, n_of_fold) for name, score in scores.items()}
        accuracies = {name: _share(texts.is_valid[own]) for name, own in accepted.items()}
        rows.append({"coverage": float(share), **accuracies})
    return pl.DataFrame(rows)


def _share(is_valid: Bool[np.ndarray, " accepted"]) -> float | None:
    return float(is_valid.mean()) if len(is_valid) else None
