import numpy as np
import pytest
from scipy import stats
from scipy.interpolate import CubicSpline

from physlm.analysis.spectra.comparison.controlled import (
    adjusted_effect,
    controlled_effects,
    length_overlap,
    why_no_length_control,
)
from physlm.analysis.spectra.comparison.design import control_terms, length_terms, spline_terms
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.analysis.spectra.comparison.power import smallest_detectable_d
from tests.analysis.spectra.comparison.frames import groups_of, texts_of


def by_hand(y, texts, terms):
    """The regression with its whole design, and the sandwich summed problem by problem."""
    design = np.column_stack([texts.is_valid.astype(float), np.ones(len(y)), terms])
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ y
    residual = y - design @ beta
    n, k = design.shape
    meat = np.zeros((k, k))
    for problem in range(texts.n_problems):
        own = texts.problem == problem
        score = design[own].T @ residual[own]
        meat += np.outer(score, score)
    n_problems = texts.n_problems
    variance = bread @ meat @ bread * n_problems / (n_problems - 1) * (n - 1) / (n - k)
    sd = np.sqrt(residual @ residual / (n - k))
    margin = stats.t.ppf(0.975, n_problems - 1) * np.sqrt(variance[0, 0])
    return np.array([beta[0], beta[0] - margin, beta[0] + margin]) / sd


@pytest.mark.parametrize("terms", [length_terms, control_terms])
def test_effect_and_interval_are_those_of_the_whole_clustered_regression(terms):
    rng = np.random.default_rng(0)
    texts = groups_of(texts_of(rng, 30, length_gap=0.5))
    shared = rng.standard_normal(30)[texts.problem]
    values = rng.standard_normal((60, 3)) + shared[:, None] + np.log(texts.n_tokens)[:, None] ** 2
    found = adjusted_effect(values, texts, terms(texts))
    for column in range(3):
        expected = by_hand(values[:, column], texts, terms(texts))
        assert found[:, column] == pytest.approx(expected, rel=1e-8)


def test_a_metric_that_is_a_cubic_of_log_length_has_no_effect_at_equal_length():
    rng = np.random.default_rng(1)
    texts = groups_of(texts_of(rng, 100, length_gap=0.8))
    x = np.log(texts.n_tokens)
    values = (x - 0.2 * x**2 + 0.03 * x**3 + 0.02 * rng.standard_normal(200))[:, None]
    found = controlled_effects(values, texts)
    assert found["d_length_low"] < 0 < found["d_length_high"]
    assert found["d_controls_low"] < 0 < found["d_controls_high"]


def test_a_metric_that_is_the_log_probability_has_an_effect_only_until_it_is_controlled():
    rng = np.random.default_rng(2)
    texts = groups_of(texts_of(rng, 100))
    likelihood = texts.covariates["mean_log_probability"] + texts.is_valid
    texts = Texts(
        texts.is_valid, texts.problem, {**texts.covariates, "mean_log_probability": likelihood}
    )
    values = (likelihood + 0.5 * rng.standard_normal(200))[:, None]
    found = controlled_effects(values, texts)
    assert found["d_length_low"] > 1
    assert found["d_controls_low"] < 0 < found["d_controls_high"]


@pytest.mark.parametrize("n", [20, 60, 150])
def test_terms_of_likelihood_span_the_natural_cubic_splines_through_quantiles(n):
    rng = np.random.default_rng(10)
    x = rng.standard_t(3, n)
    terms = np.column_stack([np.ones(n), spline_terms(x)])
    n_knots = terms.shape[1]
    assert n_knots == {20: 3, 60: 4, 150: 5}[n]
    outer = 0.1 if n == 20 else 0.05
    ends = np.quantile(x, [outer, 1 - outer])
    inside = (ends[0] <= x) & (x <= ends[1])
    shares = {3: (), 4: (0.35, 0.65), 5: (0.275, 0.5, 0.725)}[n_knots] or (0.5,)
    knots = np.quantile(x, [outer, *shares, 1 - outer])
    spline = CubicSpline(knots, rng.standard_normal(n_knots), bc_type="natural")
    slopes = spline(ends, 1)
    curve = np.where(inside, spline(x), 0.0)
    curve[x < ends[0]] = spline(ends[0]) + slopes[0] * (x[x < ends[0]] - ends[0])
    curve[x > ends[1]] = spline(ends[1]) + slopes[1] * (x[x > ends[1]] - ends[1])
    fitted = terms @ np.linalg.lstsq(terms, curve, rcond=None)[0]
    np.testing.assert_allclose(fitted, curve, atol=1e-9)


@pytest.mark.parametrize("shape", [np.square, np.abs, np.exp])
def test_a_metric_of_likelihood_has_no_effect_beside_it_whatever_the_shape(shape):
    rng = np.random.default_rng(11)
    texts = groups_of(texts_of(rng, 100, equal=True))
    z = rng.standard_normal(200)
    label = shape(z) + 0.5 * rng.standard_normal(200)
    covariates = {**texts.covariates, "mean_log_probability": -2 + 0.3 * z}
    texts = Texts(label > np.median(label), np.arange(200), covariates)
    values = (shape(z) + 0.5 * rng.standard_normal(200))[:, None]
    found = controlled_effects(values, texts)
    assert found["d_length"] > 0.8
    assert found["d_controls_low"] < 0 < found["d_controls_high"]


def test_equal_lengths_leave_the_plain_difference():
    rng = np.random.default_rng(3)
    texts = groups_of(texts_of(rng, 20, equal=True))
    values = rng.standard_normal((40, 2))
    valid, invalid = values[texts.is_valid], values[~texts.is_valid]
    sd = np.sqrt((valid.var(axis=0, ddof=1) + invalid.var(axis=0, ddof=1)) / 2)
    expected = (valid.mean(axis=0) - invalid.mean(axis=0)) / sd
    assert length_terms(texts).shape == (40, 0)
    assert controlled_effects(values, texts)["d_length"] == pytest.approx(expected)


def test_two_distinct_lengths_are_one_term():
    rng = np.random.default_rng(4)
    texts = groups_of(texts_of(rng, 20))
    n_tokens = np.where(rng.random(40) < 0.5, 20.0, 40.0)
    texts = Texts(texts.is_valid, texts.problem, {**texts.covariates, "n_tokens": n_tokens})
    values = rng.standard_normal((40, 1))
    expected = by_hand(values[:, 0], texts, (n_tokens == 20.0)[:, None])
    assert adjusted_effect(values, texts, length_terms(texts))[:, 0] == pytest.approx(expected)


def test_the_overlap_is_compared_as_if_it_were_all_texts():
    rng = np.random.default_rng(5)
    texts = groups_of(texts_of(rng, 60, length_gap=0.5))
    values = rng.standard_normal((120, 2))
    inside = length_overlap(texts)
    assert 0 < inside.sum() < 120
    own = texts.at(inside)
    expected = adjusted_effect(values[inside], own, length_terms(own))
    found = controlled_effects(values, texts)
    assert found["d_length_overlap"] == pytest.approx(expected[0])
    assert found["d_length_overlap_high"] == pytest.approx(expected[2])


def test_labels_that_follow_the_length_have_no_controlled_effect():
    rng = np.random.default_rng(6)
    texts = groups_of(texts_of(rng, 20, length_gap=5.0))
    found = controlled_effects(rng.standard_normal((40, 2)), texts)
    assert all(np.isnan(values).all() for values in found.values())
    assert "d_length is undefined" in why_no_length_control(texts)


def test_a_column_that_the_controls_determine_has_no_effect():
    rng = np.random.default_rng(7)
    texts = groups_of(texts_of(rng, 20))
    x = np.log(texts.n_tokens)
    found = controlled_effects(np.column_stack([x, x**3 - x**2, x**4]), texts)
    assert np.isnan(found["d_length"]).tolist() == [True, True, False]


def test_intervals_hold_the_planted_effect_in_about_95_of_100_cases():
    rng = np.random.default_rng(8)
    is_held = []
    for _ in range(20):
        texts = groups_of(texts_of(rng, 40, length_gap=0.4))
        own = rng.standard_normal((40, 50))[texts.problem]  # texts of a problem are alike
        noise = own + rng.standard_normal((80, 50))
        values = noise + np.log(texts.n_tokens)[:, None] + 0.8 * texts.is_valid[:, None]
        _, low, high = adjusted_effect(values, texts, length_terms(texts))
        is_held.append((low < 0.8 / np.sqrt(2)) & (0.8 / np.sqrt(2) < high))
    assert 0.92 < np.mean(is_held) < 0.98


def test_the_smallest_detectable_effect_is_found_in_80_of_100_cases():
    rng = np.random.default_rng(9)
    d = smallest_detectable_d(100, 100)
    shares = []
    for _ in range(5):
        texts = groups_of(texts_of(rng, 100))
        values = rng.standard_normal((200, 200)) + d * texts.is_valid[:, None]
        _, low, high = adjusted_effect(values, texts, control_terms(texts))
        shares.append(np.mean((low > 0) | (high < 0)))
    assert np.mean(shares) == pytest.approx(0.8, abs=0.05)
