"""A metric and its one text form."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physlm.measurement import Metric, metric_text, parse_metric

NUMBERS = st.integers(-99, 99) | st.floats(-9, 9).map(lambda x: round(x, 3))
WORDS = st.from_regex(r"[a-z]+_[a-z]+", fullmatch=True)
DIMS = st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), NUMBERS | WORDS, max_size=4)


@given(WORDS, DIMS)
def test_what_is_written_is_read_again(name, dims):
    metric = Metric(name=name, value=0.0, unit="", n=1, dims=dims)
    assert parse_metric(metric.text) == (name, dims)
    assert list(metric.dims) == sorted(dims)


def test_the_order_of_dims_makes_no_other_text():
    text = "qa/exact_match{attribute=major,layer=3,split=train}"
    for dims in (
        {"split": "train", "layer": 3, "attribute": "major"},
        {"attribute": "major", "split": "train", "layer": 3.0},
    ):
        assert metric_text("qa/exact_match", dims) == text
    assert metric_text("capacity/maximum_bits_per_parameter", {}) == (
        "capacity/maximum_bits_per_parameter"
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=r"x\{layer=3\}=.*left out"):
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
def test_what_would_be_read_otherwise_is_refused(name, dims):
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
def test_a_text_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match=r"write NAME or NAME\{DIM=VALUE|write each once"):
        parse_metric(text)


def test_a_text_that_reads_as_a_number_is_one_and_numpys_numbers_are_plain():
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
