"""Metrics and their text form."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physlm.errors import InputError
from physlm.measurement import Measurement, Metric, by_text, metric_text, parse_metric

NUMBERS = st.integers(-99, 99) | st.floats(-9, 9).map(lambda x: round(x, 3))
WORDS = st.from_regex(r"[a-z]+_[a-z]+", fullmatch=True)
DIMS = st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), NUMBERS | WORDS, max_size=4)


@given(WORDS, DIMS)
def test_every_metric_text_parses_to_its_name_and_dims(name, dims):
    metric = Metric(name=name, value=0.0, unit="", n=1, dims=dims)
    assert parse_metric(metric.text) == (name, dims)
    assert list(metric.dims) == sorted(dims)


def test_the_text_does_not_depend_on_the_order_of_dims():
    text = "qa/exact_match{attribute=major,layer=3,split=train}"
    for dims in (
        {"split": "train", "layer": 3, "attribute": "major"},
        {"attribute": "major", "split": "train", "layer": 3.0},
    ):
        assert metric_text("qa/exact_match", dims) == text
    assert metric_text("capacity/maximum_bits_per_parameter", {}) == (
        "capacity/maximum_bits_per_parameter"
    )


def test_a_dim_that_equals_an_earlier_one_of_another_type_is_still_refused():
    """Of two keys of a cache that are equal, the second would get the answer of the first."""
    Metric(name="qa", value=0.0, unit="", n=1, dims={"layer": 1})
    with pytest.raises(ValueError, match="does not parse back"):
        Metric(name="qa", value=0.0, unit="", n=1, dims={"layer": True})


def test_metrics_of_equal_dims_share_no_mapping():
    first, second = (Metric(name="qa", value=0.0, unit="", n=1, dims={"layer": 1}) for _ in "ab")
    first.dims["layer"] = 2
    assert second.dims == {"layer": 1}
    assert parse_metric("qa{layer=1}") == ("qa", {"layer": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match=r"x\{layer=3\}=.*leave out"):
        Metric(name="x", value=value, unit="", n=1, dims={"layer": 3})


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        ("qa{x}", {}),
        ("two words", {}),
        ("", {}),
        ("a=b", {}),
        ("qa", {"layer": True}),
        ("qa", {"Layer": 3}),
        ("qa", {"layer": "a,b"}),
        ("qa", {"layer": math.nan}),
        ("qa", {"layer": ""}),
    ],
)
def test_names_and_dims_that_would_parse_differently_are_refused(name, dims):
    with pytest.raises(ValueError, match=r"metric|dimensions"):
        Metric(name=name, value=0.0, unit="", n=1, dims=dims)


@pytest.mark.parametrize(
    "text",
    [
        "qa{}",
        "qa{layer}",
        "qa{layer=3",
        "qa layer",
        "{layer=3}",
        "qa{layer=3,layer=4}",
        "qa}",
        "qa{layer=3}x",
        "qa{layer=3,}",
        "qa@train x",
    ],
)
def test_malformed_texts_are_refused(text):
    with pytest.raises(ValueError, match=r"write NAME or NAME\{DIM=VALUE|write each once"):
        parse_metric(text)


def test_texts_that_look_like_numbers_become_numbers_and_numpy_numbers_plain_ones():
    metric = Metric(
        name="qa",
        value=np.float64(0.5),
        unit="",
        n=np.int64(3),
        stderr=np.float32(1),
        dims={"layer": np.int64(3), "task": "12", "attribute": "1_0"},
    )
    assert metric.dims == {"attribute": "1_0", "layer": 3, "task": 12}
    assert json.loads(json.dumps(asdict(metric)))["n"] == 3


def test_two_metrics_of_one_name_and_dims_are_refused():
    metrics = [
        Metric(name="x", value=value, unit="", n=1, dims={"layer": layer})
        for value, layer in ((0.0, 1), (1.0, 1.0))
    ]
    message = r"metric x\{layer=1\} was measured twice; leave out one of the scorers"
    with pytest.raises(InputError, match=message):
        by_text(metrics)
    with pytest.raises(InputError, match=message):
        Measurement(tuple(metrics))
    assert list(by_text(metrics[:1])) == ["x{layer=1}"]
