"""Differences of groups at equal values of another column, against a linear regression."""

import numpy as np
import polars as pl
import pytest

from physlm.analysis.depth.matching import matched_difference
from physlm.errors import InputError


def confounded(n=3000, effect=0.0, seed=0):
    """Group a is more confident than b; the value depends on confidence, and by `effect` on a."""
    rng = np.random.default_rng(seed)
    is_a = rng.random(n) < 0.5
    confidence = np.round(rng.beta(2 + 2 * is_a, 2), 2)
    value = 5 - 4 * confidence + effect * is_a + rng.normal(0, 0.1, n)
    return pl.DataFrame(
        {
            "document": rng.integers(0, 60, n),
            "class": np.where(is_a, "a", "b"),
            "confidence": confidence,
            "onset": value,
        }
    )


def regression(rows, edges):
    """Coefficient of group a, and its clustered standard error, with dummies and slopes."""
    y, documents = rows["onset"].to_numpy(), rows["document"].to_numpy()
    bins = np.searchsorted(edges, rows["confidence"].to_numpy(), side="right")
    dummies = np.eye(bins.max() + 1)[bins]
    dummies = dummies[:, dummies.any(axis=0)]
    slopes = dummies * rows["confidence"].to_numpy()[:, None]
    x = np.column_stack([(rows["class"] == "a").to_numpy(), dummies, slopes])
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    bread = np.linalg.pinv(x.T @ x)
    meat = sum(
        np.outer(s, s)
        for s in (x[documents == d].T @ (y - x @ beta)[documents == d] for d in set(documents))
    )
    n = len(set(documents))
    return beta[0], np.sqrt((bread @ meat @ bread)[0, 0] * n / (n - 1))


@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_the_difference_is_that_of_a_regression_with_dummies_and_slopes(effect):
    rows = confounded(effect=effect)
    found = matched_difference(rows, "onset", "class", ("a", "b"), "confidence", n_bins=20)
    value, error = regression(rows, found.edges)
    assert found.value == pytest.approx(value, rel=1e-8)
    assert found.stderr == pytest.approx(error, rel=1e-6)
    assert found.matched_fraction == pytest.approx(1, abs=0.02)


def test_equal_confidence_removes_a_difference_that_confidence_explains():
    rows = confounded()
    found = matched_difference(rows, "onset", "class", ("a", "b"), "confidence", n_bins=50)
    assert found.unmatched < -0.5
    assert abs(found.value) < 0.03


def test_few_bins_are_enough_to_remove_what_the_matched_column_explains():
    rows = confounded()
    found = matched_difference(rows, "onset", "class", ("a", "b"), "confidence", n_bins=3)
    assert abs(found.value) < 0.03
    assert 0.01 < found.imbalance < 0.1


def test_permuted_groups_differ_by_chance_alone():
    none = matched_difference(confounded(), "onset", "class", ("a", "b"), "confidence", n_bins=40)
    some = matched_difference(
        confounded(effect=0.3), "onset", "class", ("a", "b"), "confidence", n_bins=40
    )
    for found in (none, some):
        assert abs(found.permuted.mean()) < 4 * found.permuted.std() / np.sqrt(1000)
    assert some.p_value == pytest.approx(1 / 1001)
    assert some.value > 10 * some.permuted.std()
    # Documents do not matter here, so permutations spread as much as the standard error says.
    assert none.permuted.std() == pytest.approx(none.stderr, rel=0.3)


def test_bins_with_one_group_alone_do_not_count():
    n = 30
    rows = pl.DataFrame(
        {
            "document": np.arange(3 * n),
            "class": ["a"] * n + ["b"] * n + ["a"] * n,
            "confidence": [0.0] * 2 * n + [1.0] * n,
            "onset": [2.0] * n + [1.0] * n + [100.0] * n,
        }
    )
    found = matched_difference(rows, "onset", "class", ("a", "b"), "confidence", n_bins=3)
    assert found.value == 1
    assert found.n == (n, n)
    assert found.matched_fraction == pytest.approx(2 / 3)


def test_a_group_with_too_few_predictions_is_refused():
    rows = confounded(200).filter((pl.col("class") == "b") | (pl.col("document") < 3))
    with pytest.raises(InputError, match=r"class=a has \d+ predictions that can be matched"):
        matched_difference(rows, "onset", "class", ("a", "b"), "confidence")
    with pytest.raises(InputError, match="no column settled"):
        matched_difference(rows, "settled", "class", ("a", "b"), "confidence")


def test_groups_are_permuted_within_bins():
    # The first bin is balanced and without noise, the second one neither.
    rng = np.random.default_rng(0)
    bins = np.repeat([0, 1], [400, 400])
    is_a = np.where(bins == 0, np.arange(800) % 2 == 0, np.arange(800) % 10 == 0)
    y = np.where(bins == 0, 1.0, rng.normal(0, 1, 800))
    rows = pl.DataFrame(
        {"document": np.arange(800), "class": np.where(is_a, "a", "b"), "bin": bins, "onset": y}
    )
    shuffled = rows.sample(fraction=1, shuffle=True, seed=0)
    found = matched_difference(shuffled, "onset", "class", ("a", "b"), "bin", n_bins=3)
    x = is_a - np.where(bins == 0, 0.5, 0.1)
    noisy = bins == 1
    # Variance of the sum of products of two sequences of which one is permuted.
    variance = np.sum(x[noisy] ** 2) * np.var(y[noisy]) * 400 / 399
    expected = np.sqrt(variance) / np.sum(x**2)
    assert found.permuted.std() == pytest.approx(expected, rel=0.1)
