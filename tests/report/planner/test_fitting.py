"""A planted law is found again, with intervals that hold as often as they say."""

import math
from dataclasses import replace

import numpy as np
import pytest

from physlm.report.planner.case import Case
from physlm.report.planner.fitting import Configuration, fitted, predicted
from physlm.report.planner.measured_runs import configurations, plain_runs
from tests.report.planner.laws import PLANTED, planted_law
from tests.test_experiments import FOLDER

SIZES = [
    (bits, parameters, exposures)
    for bits in (1.5e4, 3e4, 5.3e4, 1.04e5)
    for parameters in (7.6e3, 1.6e4, 2.7e4, 6e4)
    for exposures in (30.0, 100.0, 300.0, 1000.0)
]


def runs(rng, spread, *, sizes, n_seeds=3):
    """Configurations whose runs are off the planted law by normal errors of the load."""
    found = []
    for bits, parameters, exposures in sizes:
        load = PLANTED.log_load(bits, parameters, exposures)
        errors = rng.normal(0, spread, n_seeds)
        fractions = tuple(PLANTED.fraction(math.exp(load + error)) for error in errors)
        found.append(Configuration(bits, parameters, exposures, fractions))
    return found


def drawn(rng, n):
    return [SIZES[i] for i in rng.choice(len(SIZES), n, replace=False)]


def test_a_law_without_noise_is_found_exactly():
    every = runs(np.random.default_rng(0), 0.0, sizes=SIZES)
    found = fitted(every, n_resamples=2)
    assert [predicted(found.fit, one) for one in every] == pytest.approx(
        [one.fraction for one in every], rel=2e-3
    )
    assert found.fit == pytest.approx(PLANTED, rel=0.02)
    assert found.spread < 2e-3


def test_the_spread_of_runs_is_found():
    rng = np.random.default_rng(1)
    found = fitted(runs(rng, 0.08, sizes=SIZES, n_seeds=20), n_resamples=2)
    assert found.spread == pytest.approx(0.08, rel=0.1)


@pytest.mark.slow
def test_intervals_hold_nine_of_ten_new_runs():
    """Over many draws of which configurations are measured, and of their noise."""
    rng = np.random.default_rng(2)
    held, n = 0, 0
    for _ in range(15):
        sizes = drawn(rng, 26)
        found = fitted(runs(rng, 0.06, sizes=sizes), n_resamples=15)
        law = replace(
            planted_law(),
            fit=found.fit,
            resampled=found.resampled,
            spread=found.spread,
            full_spread=found.full_spread,
        )
        for one in runs(rng, 0.06, sizes=[s for s in SIZES if s not in sizes], n_seeds=1):
            stored = law.stored(
                Case(bits=one.bits, parameters=one.parameters, exposures=one.exposures)
            )
            held += stored.low <= one.fraction <= stored.high
            n += 1
    assert 0.84 < held / n < 0.97  # two standard errors of so many, and of 15 laws, around 0.9


def test_the_documented_errors_are_those_of_left_out_configurations():
    every = configurations(plain_runs(FOLDER))
    errors = []
    for i, one in enumerate(every):
        others = fitted([*every[:i], *every[i + 1 :]], n_resamples=0).fit
        errors.append(abs(predicted(others, one) / one.fraction - 1))
    found = [np.mean(errors), np.median(errors), max(errors)]
    text = (FOLDER.parent / "docs/planner.md").read_text()
    told = "its error is {:.1%} in the mean, {:.1%} in the median and {:.0%} at most".format(*found)
    assert told in " ".join(text.split())


@pytest.mark.parametrize(
    ("count", "fraction", "reason"),
    [(6, 0.5, "the law needs more than 6"), (20, 0.0, "a run that stores nothing")],
)
def test_what_cannot_be_fitted_is_refused(count, fraction, reason):
    one = Configuration(5e4, 2e4, 100.0, (fraction,))
    with pytest.raises(ValueError, match=reason):
        fitted([one] * count)
