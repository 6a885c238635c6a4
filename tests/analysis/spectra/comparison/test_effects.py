import numpy as np
import pytest
from scipy import stats

from physlm.analysis.spectra.comparison.effects import (
    auc,
    best_threshold_accuracy,
    length_correlation,
    raw_effects,
)


@pytest.fixture
def groups():
    rng = np.random.default_rng(0)
    is_valid = rng.random(41) < 0.4
    values = rng.standard_normal((41, 6)) + 0.7 * is_valid[:, None]
    values[:, 3] = values[:, 3].round()  # ties
    return values, is_valid


def test_d_is_the_difference_over_the_pooled_standard_deviation_of_n_minus_1():
    values = np.array([[1.0], [2.0], [6.0], [0.0], [4.0]])
    is_valid = np.array([True, True, True, False, False])
    # Means 3 and 2; squares 14 and 8 over 3 degrees of freedom.
    found = raw_effects(values, is_valid)
    assert found["d_raw"] == pytest.approx(1 / np.sqrt(22 / 3))
    assert found["sd_valid"] == pytest.approx(np.sqrt(7))
    assert found["sd_invalid"] == pytest.approx(np.sqrt(8))


def test_hedges_g_is_unbiased_where_d_is_not():
    rng = np.random.default_rng(1)
    is_valid = np.array([True] * 4 + [False] * 4)
    values = rng.standard_normal((8, 40_000)) + is_valid[:, None]
    found = raw_effects(values, is_valid)
    assert found["hedges_g"].mean() == pytest.approx(1, abs=0.02)
    assert found["d_raw"].mean() > 1.1


def test_p_values_are_those_of_scipy_column_by_column(groups):
    values, is_valid = groups
    found = raw_effects(values, is_valid)
    for column in range(values.shape[1]):
        a, b = values[is_valid, column], values[~is_valid, column]
        assert found["mann_whitney_p"][column] == stats.mannwhitneyu(a, b).pvalue
        assert found["welch_p"][column] == stats.ttest_ind(a, b, equal_var=False).pvalue


def test_ties_in_one_column_leave_the_exact_test_to_the_others():
    values = np.array([[1.0, 1.0], [2.0, 1.0], [5.0, 2.0], [0.0, 0.0], [3.0, 1.0]])
    is_valid = np.array([True, True, True, False, False])
    found = raw_effects(values, is_valid)["mann_whitney_p"]
    # U = 4 of 6: as extreme or more are 8 of the 10 ways to choose the ranks of two texts.
    assert found[0] == pytest.approx(0.8)


def test_auc_is_the_share_of_pairs_in_which_the_valid_text_is_larger(groups):
    values, is_valid = groups
    a, b = values[is_valid][:, None], values[~is_valid][None]
    share = (a > b).mean(axis=(0, 1)) + (a == b).mean(axis=(0, 1)) / 2
    assert auc(values, is_valid) == pytest.approx(share)


def test_best_threshold_is_the_best_of_all_midpoints_in_both_directions(groups):
    values, is_valid = groups
    for column, found in zip(values.T, best_threshold_accuracy(values, is_valid), strict=True):
        distinct = np.unique(column)
        accuracies = [
            np.mean((column > cut) == side)
            for cut in (distinct[1:] + distinct[:-1]) / 2
            for side in (is_valid, ~is_valid)
        ]
        assert found == pytest.approx(max(accuracies))


def test_rank_correlation_with_length_is_that_of_scipy(groups):
    values, _ = groups
    n_tokens = np.random.default_rng(2).integers(5, 20, len(values)).astype(float)
    found = length_correlation(values, n_tokens)
    expected = [stats.spearmanr(n_tokens, column).statistic for column in values.T]
    assert found == pytest.approx(expected)
    assert np.isnan(length_correlation(values, np.full(len(values), 7.0))).all()


def test_groups_without_spread_have_no_d():
    values = np.array([[1.0], [1.0], [0.1], [0.1]])
    found = raw_effects(values, np.array([True, True, False, False]))
    assert np.isnan(found["d_raw"])
    assert np.isnan(found["welch_p"])
    assert found["auc"] == 1
