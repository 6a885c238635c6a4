import numpy as np
import pytest
from scipy import stats

from physlm.analysis.spectra.comparison.groups import COVARIATES, Texts
from physlm.analysis.spectra.comparison.pairs import Pairs, matched_pairs, paired_effects


def texts_with(n_tokens, is_valid, problem):
    covariates = {name: np.zeros(len(n_tokens)) for name in COVARIATES}
    covariates["n_tokens"] = np.array(n_tokens, dtype=float)
    return Texts(np.array(is_valid, dtype=bool), np.array(problem), covariates)


def as_set(pairs):
    return list(zip(pairs.valid.tolist(), pairs.invalid.tolist(), strict=True))


def test_the_longest_valid_text_takes_the_nearest_invalid_one_first():
    texts = texts_with([100, 104, 103, 101, 60], [1, 1, 0, 0, 0], range(5))
    assert as_set(matched_pairs(texts)) == [(1, 2), (0, 3)]
    contested = texts_with([100, 104, 102], [1, 1, 0], range(3))
    assert as_set(matched_pairs(contested)) == [(1, 2)]


def test_no_pair_differs_by_more_than_5_percent_of_the_valid_text():
    texts = texts_with([100, 105, 95.0, 200, 211], [1, 0, 0, 1, 0], range(5))
    assert as_set(matched_pairs(texts)) == [(0, 1)]


def test_equally_near_texts_are_taken_in_their_order():
    texts = texts_with([100, 100, 101, 99, 101], [1, 1, 0, 0, 0], range(5))
    assert as_set(matched_pairs(texts)) == [(0, 2), (1, 3)]


def test_pairs_within_a_problem_come_before_nearer_ones_of_another():
    texts = texts_with([100, 100, 102, 100, 90, 90], [1, 1, 0, 0, 1, 0], [0, 1, 0, 2, 3, 4])
    pairs = matched_pairs(texts)
    assert pairs.n_natural == 1
    assert as_set(pairs) == [(0, 2), (1, 3), (4, 5)]


def test_pairs_of_held_out_values_straddle_no_fold_and_those_of_a_problem_stay():
    folds = np.array([0, 1, 0, 1, 1])
    texts = texts_with([100, 100, 101, 100, 90], [1, 0, 0, 1, 0], [0, 1, 2, 3, 4])
    assert as_set(matched_pairs(texts)) == [(0, 1), (3, 2)]
    assert as_set(matched_pairs(texts, folds)) == [(0, 2), (3, 1)]
    natural = texts_with([100, 100, 101, 100, 98], [1, 0, 0, 1, 0], [0, 1, 2, 3, 3])
    assert as_set(matched_pairs(natural, folds)) == [(3, 4), (0, 2)]


def test_d_paired_of_independent_pairs_estimates_d():
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [rng.standard_normal((20_000, 1)) + 0.6, rng.standard_normal((20_000, 1))]
    )
    pairs = Pairs(np.arange(20_000), np.arange(20_000, 40_000), 0)
    assert paired_effects(values, pairs)["d_paired"] == pytest.approx(0.6, abs=0.03)


def test_p_is_that_of_scipy_and_d_that_of_its_formula():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((60, 3)) + np.linspace(0, 1, 60)[:, None]
    values[:, 2] = values[:, 2].round()  # zero differences and ties
    pairs = Pairs(np.arange(30), np.arange(30, 60), 0)
    found = paired_effects(values, pairs)
    for column in range(3):
        difference = values[:30, column] - values[30:, column]
        method = "asymptotic" if column == 2 else "exact"
        assert found["wilcoxon_p"][column] == stats.wilcoxon(difference, method=method).pvalue
        expected = np.sqrt(2) * difference.mean() / difference.std(ddof=1)
        assert found["d_paired"][column] == pytest.approx(expected)


def test_equal_differences_and_single_pairs_have_no_effect():
    values = np.array([[1.0], [2.0], [0.0], [1.0]])
    for pairs in (
        Pairs(np.array([0, 1]), np.array([2, 3]), 0),
        Pairs(np.array([0]), np.array([2]), 0),
    ):
        assert np.isnan(paired_effects(values, pairs)["d_paired"]).all()
