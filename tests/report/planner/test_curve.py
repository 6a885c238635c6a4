"""Capacity between a few numbers of exposures, and the harm of less junk."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from physlm.report.planner.amounts import amount, between, counted, spans
from physlm.report.planner.curve import Curve, Share


@given(power=st.floats(0, 3), exposures=st.floats(0.01, 1e6))
def test_a_power_law_is_followed_everywhere(power, exposures):
    curve = Curve(tuple((e, 3 * e**power) for e in (10.0, 70.0, 900.0)))
    assert curve.log_at(exposures) == pytest.approx(math.log(3) + power * math.log(exposures))
    assert curve.ends == (10, 900)


def test_a_curve_passes_through_its_points():
    points = ((100.0, 0.05), (300.0, 0.3), (600.0, 0.7))
    curve = Curve(points)
    assert [math.exp(curve.log_at(e)) for e, _ in points] == pytest.approx([c for _, c in points])


def test_one_point_is_a_constant():
    assert Curve(((1000.0, 0.5),)).log_at(3) == math.log(0.5)


@pytest.mark.parametrize("points", [(), ((1, 2), (2, 1)), ((2, 1), (1, 2)), ((1, 1), (1, 1))])
def test_a_curve_that_falls_is_refused(points):
    with pytest.raises(ValueError, match="exposures must rise, and capacity not fall"):
        Curve(points)


def test_a_share_is_linear_between_its_points():
    share = Share(((0.0, 0.0), (0.5, 0.2), (0.875, 1.0)))
    assert [share.at(x) for x in (0, 0.25, 0.5, 0.6875, 0.875)] == pytest.approx(
        [0, 0.1, 0.2, 0.6, 1]
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.12345, "0.123"),
        (12, "12"),
        (7568, "7,570"),
        (999_600, "1 million"),
        (13_123_000, "13.1 million"),
        (2.9e9, "2.9 billion"),
        (4.4e12, "4.4 trillion"),
        (5.04e17, "5.04e+17"),
    ],
)
def test_amounts_have_three_digits(value, text):
    assert amount(value) == text


def test_a_range_of_one_value_is_that_value():
    assert between(1000, 1000) == "1,000"
    assert between(30, 1000) == "30 to 1,000"
    assert spans([(0, 0.5), (0.875, 0.875)]) == "0 to 0.5 and 0.875"


def test_one_of_a_noun_is_singular():
    assert [counted(n, "exposures") for n in (1, 1.0004, 30)] == [
        "1 exposure",
        "1 exposure",
        "30 exposures",
    ]
