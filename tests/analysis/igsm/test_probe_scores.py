"""Scores against other definitions, and errors against those of simple means."""

import numpy as np
import pytest

from physlm.analysis.igsm.probe_scores import accuracy, confusion, majority, matthews, over_problems


def drawn(n=600, n_classes=2, n_problems=40, seed=0, strength=0.5):
    rng = np.random.default_rng(seed)
    problems = np.repeat(np.arange(n_problems) * 3, n // n_problems)
    classes = rng.choice(n_classes, n, p=np.arange(1, n_classes + 1) / sum(range(n_classes + 1)))
    other = rng.integers(0, n_classes, n)
    return problems, classes, np.where(rng.random(n) < strength, classes, other)


def correlation(classes, predicted, n_classes):
    """Correlation of indicator variables, summed over classes."""
    x, y = np.eye(n_classes)[classes], np.eye(n_classes)[predicted]
    x, y = x - x.mean(0), y - y.mean(0)
    return (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())


@pytest.mark.parametrize("n_classes", [2, 24])
def test_scores_are_those_of_the_predictions(n_classes):
    problems, classes, predicted = drawn(n_classes=n_classes)
    counts = confusion(problems, classes, predicted, n_classes)
    assert counts.shape == (40, n_classes, n_classes)
    total = counts.sum(0)
    assert accuracy(total) == pytest.approx((classes == predicted).mean())
    assert majority(total) == pytest.approx(np.bincount(classes).max() / len(classes))
    assert matthews(total) == pytest.approx(correlation(classes, predicted, n_classes))
    if n_classes == 2:
        assert matthews(total) == pytest.approx(np.corrcoef(classes, predicted)[0, 1])


def test_matthews_is_1_if_all_is_right_and_0_if_all_predictions_are_the_same():
    classes = drawn(n_classes=24)[1]
    numbers = np.arange(len(classes))
    assert matthews(confusion(numbers, classes, classes, 24).sum(0)) == pytest.approx(1)
    assert matthews(confusion(numbers, classes, 0 * classes, 24).sum(0)) == 0


def test_the_error_of_an_accuracy_is_that_of_a_mean_over_problems():
    problems, classes, predicted = drawn()
    value, stderr = over_problems(accuracy, confusion(problems, classes, predicted, 2))
    means = (classes == predicted).reshape(40, -1).mean(axis=1)
    assert value == pytest.approx(means.mean())
    assert stderr == pytest.approx(means.std(ddof=1) / np.sqrt(40))


def test_the_error_of_a_difference_is_paired():
    problems, classes, first = drawn()
    second = drawn(strength=0.2)[2]
    pair = [confusion(problems, classes, predicted, 2) for predicted in (first, second)]
    value, stderr = over_problems(accuracy, *pair)
    differences = ((classes == first) * 1.0 - (classes == second)).reshape(40, -1).mean(axis=1)
    assert value == pytest.approx(differences.mean())
    assert stderr == pytest.approx(differences.std(ddof=1) / np.sqrt(40))
    assert over_problems(matthews, pair[0], pair[0]) == (0, 0)


def test_the_error_of_matthews_is_the_spread_of_new_samples():
    values, errors = [], []
    for seed in range(200):
        problems, classes, predicted = drawn(seed=seed)
        value, stderr = over_problems(matthews, confusion(problems, classes, predicted, 2))
        values.append(value)
        errors.append(stderr)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_one_problem_has_no_error():
    counts = confusion(np.zeros(4, int), np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1]), 2)
    assert over_problems(accuracy, counts) == (0.75, None)
