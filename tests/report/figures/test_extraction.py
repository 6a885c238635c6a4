"""Bars of extraction are means over the runs of each arm."""

import polars as pl
import pytest

from physlm.report.figures.extraction import Arm, draw_arms
from physlm.report.results import Results


def qa(others: list[float], cities: list[float]) -> Results:
    """Results of two runs that answer all questions about train people."""
    values = {
        ("qa/exact_match", "split=train_people"): [1.0, 1.0],
        ("qa/exact_match", "attribute=city,split=train_people"): [1.0, 1.0],
        ("qa/exact_match", "split=held_out_people"): others,
        ("qa/exact_match", "attribute=city,split=held_out_people"): cities,
        ("qa/chance", "split=held_out_people"): [0.1, 0.1],
    }
    rows = [
        {"run_id": str(i), "metric": metric, "dims": dims, "value": value}
        for (metric, dims), own in values.items()
        for i, value in enumerate(own)
    ]
    return Results.of(pl.DataFrame({"run_id": ["0", "1"]}), rows)


def test_bars_are_means_of_an_arm_with_attributes_of_held_out_people():
    arms = [
        Arm("alone", pl.Series([0.9, 1.0]), qa([0.1, 0.3], [0.0, 0.2])),
        Arm("beside_others", pl.Series([1.0, 1.0]), qa([0.5, 0.7], [0.8, 1.0])),
    ]
    totals, parts = draw_arms(arms).axes
    heights = [patch.get_height() for patch in totals.patches]
    assert heights == pytest.approx([0.95, 1.0, 0.2, 0.1, 1.0, 1.0, 0.6, 0.1])
    assert [patch.get_height() for patch in parts.patches] == pytest.approx([0.1, 0.9])
    assert [text.get_text() for text in parts.get_xticklabels()] == ["city"]
    assert [text.get_text() for text in totals.get_xticklabels()] == ["alone", "beside\nothers"]
