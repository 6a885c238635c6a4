"""Differences between two groups of predictions that are equal in another respect."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from physlm.analysis.depth.document_means import require_columns
from physlm.errors import InputError
from physlm.rng import stream

FEWEST = 20  # predictions of a group that can be matched
_N_PERMUTATIONS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class MatchedDifference:
    """Mean of the first group minus that of the second, among predictions of the same bins.

    Attributes:
        value: Coefficient of the first group in a regression with a constant and a slope for each
            bin.
        stderr: Its standard error, clustered by document; None for one document.
        unmatched: Difference of the means without bins.
        imbalance: Difference of the matched column that remains within bins, before the slopes
            remove it; small where the groups are well matched.
        matched_fraction: Fraction of the predictions in bins that hold both groups; others do not
            count.
        edges: Inner edges of the bins.
        n: Predictions of each group in these bins.
        n_documents: Number of their documents.
        permuted: Values when the groups are permuted within bins; their mean is 0 up to chance.
    """

    value: float
    stderr: float | None
    unmatched: float
    imbalance: float
    matched_fraction: float
    edges: tuple[float, ...]
    n: tuple[int, int]
    n_documents: int
    permuted: Float[np.ndarray, " permutations"]

    @property
    def p_value(self) -> float:
        """Fraction of permutations with at least this absolute value, the identity included.

        Predictions are permuted as if they were independent, whatever their documents.
        """
        n_extreme = int(np.sum(np.abs(self.permuted) >= abs(self.value)))
        return (1 + n_extreme) / (1 + len(self.permuted))


def matched_difference(
    rows: pl.DataFrame,
    value: str,
    group: str,
    pair: tuple[str, str],
    on: str,
    *,
    n_bins: int = 10,
    seed: int = 0,
) -> MatchedDifference:
    """Compare two groups of predictions at equal values of another column.

    Function words, for example, are often predicted with more confidence than content words, so
    their onsets are compared at equal ``final_probability``, or equal ``true_entropy_nats``. Bins
    hold equal numbers of the predictions of both groups together; equal values are never separated,
    so there may be fewer bins. Within a bin the two groups still differ a little, which a slope for
    each bin removes: the value is the coefficient of the group in a linear regression with one
    constant and one slope for each bin.

    Args:
        rows: Predictions, with a column ``document``.
        value: Column to compare, such as ``onset``.
        group: Column of the groups.
        pair: The two groups.
        on: Column whose values are to be equal.
        n_bins: Number of bins.
        seed: Seed of the permutations.

    Raises:
        InputError: If a column is missing, or a group has too few predictions to be matched.

    Source:
        Standard error: Liang and Zeger (1986), with the factor D / (D - 1) for D documents.
    """
    require_columns(rows, ["document", value, group, on])
    rows = rows.filter(pl.col(group).is_in(pair)).drop_nulls([value, on])
    y = rows[value].cast(pl.Float64).to_numpy()
    is_first = (rows[group] == pair[0]).to_numpy()
    axis = rows[on].cast(pl.Float64).to_numpy()
    edges = _edges(axis, n_bins)
    bins = np.searchsorted(edges, axis, side="right")
    is_matched = _has_both(bins, is_first)
    n_first, n_second = (int(np.sum(is_matched & own)) for own in (is_first, ~is_first))
    _require_enough(group, on, dict(zip(pair, (n_first, n_second), strict=True)))
    design = _Design(y[is_matched], is_first[is_matched], bins[is_matched], axis[is_matched])
    return MatchedDifference(
        value=design.value,
        stderr=design.stderr(rows["document"].to_numpy()[is_matched]),
        unmatched=float(y[is_first].mean() - y[~is_first].mean()),
        imbalance=design.imbalance,
        matched_fraction=float(is_matched.mean()),
        edges=tuple(edges.tolist()),
        n=(n_first, n_second),
        n_documents=rows.filter(is_matched)["document"].n_unique(),
        permuted=design.permuted(stream(seed, "permutation")),
    )


class _Design:
    """Regression of a value on a group, with a constant and a slope on another column in each bin.

    Constants and slopes are removed from value and group alike, which leaves the coefficient as it
    is (Frisch and Waugh, 1933).
    """

    def __init__(
        self,
        y: Float[np.ndarray, " n"],
        is_first: Bool[np.ndarray, " n"],
        bins: Int[np.ndarray, " n"],
        axis: Float[np.ndarray, " n"],
    ) -> None:
        self._bins = np.unique(bins, return_inverse=True)[1]
        self._n_in_bin = np.bincount(self._bins)
        self._axis = self._centred(axis)
        group = self._centred(is_first.astype(np.float64))
        self.imbalance = float(group @ self._axis / (group @ group))
        self._y, self._x = self._without_slope(self._centred(y)), self._without_slope(group)
        self._norm = float(self._x @ self._x)
        self.value = float(self._x @ self._y) / self._norm

    def stderr(self, documents: np.ndarray) -> float | None:
        """Standard error that allows for correlation within documents; None for one document."""
        index = np.unique(documents, return_inverse=True)[1]
        n = int(index.max()) + 1
        if n < 2:
            return None
        scores = np.bincount(index, weights=self._x * (self._y - self.value * self._x))
        return float(np.sqrt(n / (n - 1) * (scores @ scores)) / self._norm)

    def permuted(self, rng: np.random.Generator) -> Float[np.ndarray, " permutations"]:
        """Values for groups that are permuted within each bin."""
        # Sorted by bin, with random keys within it, entries are in a random order within each bin.
        order = np.argsort(self._bins, kind="stable")
        values = np.empty(_N_PERMUTATIONS)
        x = self._x[order]
        for i in range(_N_PERMUTATIONS):
            shuffled = np.lexsort((rng.random(len(self._bins)), self._bins))
            values[i] = x @ self._y[shuffled] / self._norm
        return values

    def _without_slope(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Residuals of centred values after a linear regression on the column, in each bin."""
        spread = np.bincount(self._bins, weights=self._axis**2)
        shared = np.bincount(self._bins, weights=self._axis * values)
        slopes = np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 1e-12)
        found: np.ndarray = values - slopes[self._bins] * self._axis
        return found

    def _centred(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        means = np.bincount(self._bins, weights=values) / self._n_in_bin
        return values - means[self._bins]


def _require_enough(group: str, on: str, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        if count < FEWEST:
            raise InputError(
                f"{group}={name} has {count} predictions that can be matched on {on}; at least "
                f"{FEWEST} are needed; trace more texts"
            )


def _edges(values: Float[np.ndarray, " n"], n_bins: int) -> Float[np.ndarray, " edges"]:
    if n_bins < 1:
        raise InputError(f"n_bins={n_bins}; need at least one bin")
    if not len(values):
        return np.empty(0)
    quantiles = np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1], method="higher")
    return np.unique(quantiles)


def _has_both(
    bins: Int[np.ndarray, " n"], is_first: Bool[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Whether each prediction is in a bin with both groups."""
    n_first = np.bincount(bins, weights=is_first)
    has_both = (n_first > 0) & (n_first < np.bincount(bins))
    matched: np.ndarray = has_both[bins]
    return matched
