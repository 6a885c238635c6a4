import numpy as np
import pytest

from physlm.analysis.spectra import threshold_coverage
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.errors import InputError
from tests.analysis.spectra.comparison.frames import groups_of, texts_of


@pytest.fixture
def texts():
    return groups_of(texts_of(np.random.default_rng(0), 100))


def test_a_metric_that_knows_accepts_valid_texts_only(texts):
    values = np.random.default_rng(1).standard_normal((200, 3))
    values[:, 1] = np.where(texts.is_valid, -1.0, 2.0)
    found = threshold_coverage(values, texts)
    assert found.accuracy_all == 0.5
    assert (found.accuracy_accepted, found.accuracy_rejected, found.coverage) == (1, 0, 0.5)
    assert found.thresholds["column"].to_list() == [1] * 5
    assert found.thresholds["threshold"].to_list() == [0.5] * 5
    assert found.thresholds["accepts_larger"].to_list() == [False] * 5
    assert found.accuracy_log_probability < 0.65
    whole = found.curve.filter(found.curve["coverage"] == 1.0)
    assert (whole["metric"][0], whole["log_probability"][0]) == (0.5, 0.5)
    half = found.curve.row(4, named=True)
    assert half["metric"] == 1.0


def test_a_metric_that_is_the_log_probability_does_as_well_at_every_coverage(texts):
    values = np.exp(texts.covariates["mean_log_probability"])[:, None] + texts.is_valid[:, None]
    covariates = {**texts.covariates, "mean_log_probability": values[:, 0]}
    texts = Texts(texts.is_valid, texts.problem, covariates)
    found = threshold_coverage(values, texts)
    assert found.accuracy_accepted == found.accuracy_log_probability
    assert found.curve["metric"].to_list() == found.curve["log_probability"].to_list()


def test_noise_accepts_no_more_valid_texts_than_there_are(texts):
    rng = np.random.default_rng(2)
    accuracies = [
        threshold_coverage(rng.standard_normal((200, 20)), texts, seed=seed).accuracy_accepted
        for seed in range(10)
    ]
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.05)


def test_values_that_are_not_finite_are_refused(texts):
    values = np.zeros((200, 1))
    values[3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        threshold_coverage(values, texts)
