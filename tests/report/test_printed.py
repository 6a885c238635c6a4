"""The table of a run of many metrics: those along parts of the model share a row."""

import pytest

from physlm.config import composed, register
from physlm.measurement import Metric
from physlm.report.printed import table
from tests.test_record import make_record

register()


def shown(metrics):
    """Label, value and error of the rows of metrics."""
    columns = table(make_record(metrics=tuple(metrics)), composed(())).columns[:3]
    rows = zip(*(column.cells for column in columns), strict=True)
    return [row for row in rows if row[0].startswith("probe/")]


def of(value, **dims):
    return Metric(name="probe/mass", value=value, unit="x", n=9, stderr=value / 10, dims=dims)


def test_layers_stand_in_one_row_in_order():
    metrics = [of(layer / 10, layer=layer, set=own) for layer in range(40) for own in "ab"]
    values = " ".join(f"{layer / 10:.3g}" for layer in range(40))
    assert shown(metrics) == [
        ("probe/mass{set=a}, layer 0 to 39", values, "0.39"),
        ("probe/mass{set=b}, layer 0 to 39", values, "0.39"),
    ]


def test_heads_of_all_layers_stand_in_one_row_with_the_place_of_the_most():
    metrics = [of(0.1 + (i == 50), layer=i // 8, head=i % 8, set="a") for i in range(64)]
    rows = [("probe/mass{set=a}, 64 of layer, head", "0.1 to 1.1 (layer 6, head 2)", "0.11")]
    assert shown([*metrics, of(0.5, set="a")]) == [("probe/mass{set=a}", "0.5", "0.05"), *rows]


@pytest.mark.parametrize("n", [1, 60])
def test_few_metrics_have_a_row_each(n):
    assert len(shown(of(i, layer=i) for i in range(n))) == n
