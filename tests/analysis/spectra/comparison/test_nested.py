import numpy as np
import pytest
from scipy.optimize import minimize

from physlm.analysis.spectra.comparison.accuracy import accuracy_table
from physlm.analysis.spectra.comparison.effects import best_threshold_accuracy
from physlm.analysis.spectra.comparison.folds import grouped_folds, why_not_validated
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.analysis.spectra.comparison.logistic import fit_logistic
from physlm.analysis.spectra.comparison.nested import nested_predictions
from tests.analysis.spectra.comparison.frames import groups_of, texts_of


def by_minimising(terms, is_valid, penalty):
    design = np.column_stack([np.ones(len(terms)), terms])

    def loss(beta):
        logits = design @ beta
        ridge = penalty * beta[1:] @ beta[1:] + 1e-4 * beta[0] ** 2
        return np.logaddexp(0, np.where(is_valid, -logits, logits)).sum() + ridge / 2

    return minimize(loss, np.zeros(design.shape[1]), method="BFGS", options={"gtol": 1e-7}).x


@pytest.mark.parametrize("gap", [0.3, 20.0])
def test_logistic_coefficients_minimise_the_penalised_loss(gap):
    rng = np.random.default_rng(0)
    is_valid = rng.random(50) < 0.4
    terms = rng.standard_normal((2, 50, 3))
    terms[:, :, 0] += gap * is_valid  # at 20 the groups are separated
    weight = np.ones((2, 50))
    weight[1, :10] = 0
    found = fit_logistic(terms, is_valid, weight, np.array([0.3, 3.0]))
    for model in range(2):
        everything = by_minimising(terms[model], is_valid, 0.3)
        part = by_minimising(terms[model, 10:], is_valid[10:], 3.0)
        assert found[model, 0] == pytest.approx(everything, abs=1e-4)
        assert found[model, 1] == pytest.approx(part, abs=1e-4)


def test_folds_part_no_problem_and_spread_labels_evenly():
    rng = np.random.default_rng(1)
    problem = np.sort(rng.integers(0, 40, 300))
    problem = np.unique(problem, return_inverse=True)[1]
    texts = Texts(rng.random(300) < 0.3, problem, {})
    folds = grouped_folds(texts, 5, rng)
    assert all(len(np.unique(folds[problem == p])) == 1 for p in np.unique(problem))
    n_valid = np.bincount(folds, weights=texts.is_valid)
    assert len(n_valid) == 5
    assert np.ptp(n_valid) < 0.5 * n_valid.mean()


@pytest.fixture
def sample():
    rng = np.random.default_rng(2)
    texts = groups_of(texts_of(rng, 60, length_gap=0.3))
    values = rng.standard_normal((120, 30))
    folds = grouped_folds(texts, 5, rng)
    return texts, values, folds


def test_no_prediction_depends_on_the_labels_it_is_tested_on(sample):
    texts, values, folds = sample
    families = {"some": np.arange(30)}
    changed = Texts(texts.is_valid ^ (folds == 0), texts.problem, texts.covariates)
    before, after = (
        nested_predictions(values, own, families, folds, seed=0)["some"] for own in (texts, changed)
    )
    for model, logits in before.logits.items():
        assert after.logits[model][folds == 0] == pytest.approx(logits[folds == 0], abs=1e-12)
        assert not np.allclose(after.logits[model][folds == 1], logits[folds == 1])
    for model in ("spectra", "both"):
        assert after.chosen[model][0] == before.chosen[model][0]


def test_no_prediction_depends_on_other_texts_that_are_tested(sample):
    texts, values, folds = sample
    first, *others = np.flatnonzero(folds == 0)
    changed = values.copy()
    changed[first] *= 1000
    families = {"some": np.arange(30)}
    before, after = (
        nested_predictions(own, texts, families, folds, seed=0)["some"] for own in (values, changed)
    )
    for model, logits in before.logits.items():
        assert after.logits[model][others] == pytest.approx(logits[others], abs=1e-12)


def test_noise_is_no_better_than_chance_although_its_best_threshold_is(sample):
    texts, _, folds = sample
    values = np.random.default_rng(3).standard_normal((120, 400))
    found = nested_predictions(values, texts, {"noise": np.arange(400)}, folds, seed=0)
    table = accuracy_table(found, texts, 0)
    assert best_threshold_accuracy(values, texts.is_valid).max() > 0.64
    assert table["accuracy_spectra"][0] < 0.6
    assert table["gain_low"][0] <= 0


def test_a_planted_column_is_chosen_and_adds_to_the_controls(sample):
    texts, values, folds = sample
    values = values.copy()
    values[:, 17] -= 3 * texts.is_valid
    found = nested_predictions(values, texts, {"some": np.arange(30)}, folds, seed=0)
    assert (found["some"].chosen["both"] == 17).all()
    table = accuracy_table(found, texts, 0)
    assert table["gain_low"][0] > 0.1
    assert table["accuracy_both"][0] > 0.9
    # The sign of the metric is kept: valid texts have the smaller values.
    held_out = found["some"].held_out["both"]
    assert held_out[texts.is_valid].mean() < held_out[~texts.is_valid].mean() - 1


def test_what_only_restates_the_length_adds_nothing(sample):
    _, _, _ = sample
    rng = np.random.default_rng(4)
    texts = groups_of(texts_of(rng, 100, length_gap=0.8))
    values = np.log(texts.n_tokens)[:, None] + 0.05 * rng.standard_normal((200, 20))
    folds = grouped_folds(texts, 5, rng)
    table = accuracy_table(
        nested_predictions(values, texts, {"length": np.arange(20)}, folds, seed=0), texts, 0
    )
    assert table["accuracy_length"][0] > 0.75
    assert table["accuracy_spectra"][0] > 0.75
    assert table["gain_low"][0] <= 0


def test_two_problems_are_too_few():
    texts = groups_of(texts_of(np.random.default_rng(5), 2))
    folds = grouped_folds(texts, 5, np.random.default_rng(0))
    assert "too few" in why_not_validated(texts, folds)
