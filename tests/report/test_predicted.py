"""Predictions of runs, and claims about how good they are."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import beta, binomtest

from physlm.errors import InputError
from physlm.report.ledger import quantity
from physlm.report.predicted import Prediction, read_predictions, write_predictions
from physlm.report.verdict import decide
from physlm.stats.intervals import mean_interval
from tests.report.decided import claim, long

MEASURED = {"a": 1.0, "b": 2.2, "c": 2.7, "d": 4.0}
PREDICTIONS = {
    "a": Prediction(1.0, 0.9, 1.1),
    "b": Prediction(2.0, 1.9, 2.1),
    "c": Prediction(3.0, 2.5, 3.5),
    "d": Prediction(5.0, 4.0, 6.0),
}
# Runs of different configurations, which count together.
RUNS = pl.DataFrame(
    [
        {
            "run_id": run_id,
            "bits": value,
            "data.exposures": 1000,
            "data.n_people": i,
            "scale": "laptop",
            "status": "finished",
            "seed": 0,
        }
        for i, (run_id, value) in enumerate(MEASURED.items())
    ]
)


def verdict(prediction, **expect):
    rule = claim(prediction=prediction, predictions=PREDICTIONS, expect=expect)
    return decide(rule, long(RUNS))


def test_the_error_is_a_mean_over_runs_of_any_configuration():
    found = verdict("error", at_most=0.5)
    errors = np.array([0, 0.1, 0.1, 0.2])
    assert found.value == pytest.approx(0.1)
    assert found.low == 0  # an error is not below it, as Student's interval is here
    assert found.high == pytest.approx(mean_interval(errors)[1])
    assert (found.n, found.word) == (4, "holds")


def test_the_runs_within_their_intervals_are_counted():
    found = verdict("within", at_least=0.1)
    assert found.value == 0.75  # an end of an interval is within it
    # Clopper and Pearson (1934), by quantiles of the beta distribution: 3 of 4.
    ends = beta.ppf(0.025, 3, 2), beta.ppf(0.975, 4, 1)
    assert (found.low, found.high) == pytest.approx(ends)
    assert (found.low, found.high) == pytest.approx(binomtest(3, 4).proportion_ci(method="exact"))
    assert verdict("within", at_most=0.5).word == "undecided"


def test_all_runs_within_their_intervals_leave_a_doubt():
    rule = claim(
        prediction="within",
        predictions={i: Prediction(v, 0.0, 9.0) for i, v in MEASURED.items()},
        expect={"at_least": 0.75},
    )
    found = decide(rule, long(RUNS))
    assert (found.value, found.high, found.word) == (1.0, 1.0, "undecided")
    assert found.low == pytest.approx(0.025 ** (1 / 4))


@pytest.mark.parametrize(
    ("measured", "factor"), [(2.0, 1.0), (4.0, 2.0), (0.5, 4.0), (0.0, math.inf), (-1.0, math.inf)]
)
def test_the_factor_of_an_error_is_the_same_in_both_directions(measured, factor):
    assert Prediction(2.0, 1.0, 3.0).factor(measured) == factor


def test_a_run_that_was_not_predicted_decides_nothing():
    rule = claim(prediction="error", predictions={"a": PREDICTIONS["a"]})
    with pytest.raises(InputError, match="claim c: run b was not predicted; python -m physlm.plan"):
        decide(rule, long(RUNS))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prediction": "median"}, "prediction=median; must be error or within"),
        ({"prediction": "error", "compared_to": {}}, "prediction excludes relative_to"),
        ({"prediction": "error", "relative_to": "most"}, "prediction excludes relative_to"),
    ],
)
def test_a_rule_that_says_two_things_is_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        claim(**changes)


def test_the_ledger_says_what_is_computed():
    assert quantity(claim(prediction="error")) == "relative error of the prediction of `bits`"
    assert quantity(claim(prediction="within")) == "runs within the prediction of `bits`"


def test_predictions_are_the_same_after_they_were_written(tmp_path):
    write_predictions(PREDICTIONS, tmp_path)
    assert read_predictions(tmp_path) == PREDICTIONS


def test_a_folder_without_predictions_has_none(tmp_path):
    assert read_predictions(tmp_path) == {}


@pytest.mark.parametrize("text", ["run_id,value\na,1\n", "run_id,value,low,high\na,x,1,1\n"])
def test_predictions_that_are_no_numbers_are_refused(tmp_path, text):
    (tmp_path / "predictions.csv").write_text(text)
    with pytest.raises(InputError, match="needs columns run_id, value, low, high with numbers"):
        read_predictions(tmp_path)
