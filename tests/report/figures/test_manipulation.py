"""Bars of manipulation tasks are means over runs."""

import polars as pl
import pytest
from matplotlib.figure import Figure

from physlm.report.figures.manipulation import draw_tasks
from physlm.report.results import Results


def test_bars_are_means_over_the_runs_with_and_without_hints_in_training():
    with_hint = {
        "chance": 0.5,
        "accuracy": 0.7,
        "accuracy_with_hint": 0.9,
        "hint_accuracy": 0.3,
        "hint_faithfulness": 1,
    }
    values = [{"chance": 0.5, "accuracy": 0.4}, {"chance": 0.5, "accuracy": 0.6}, with_hint]
    rows = [
        {
            "run_id": str(i),
            "metric": f"manipulation/{name}",
            "value": value,
            "dims": "split=held_out_people,task=parity",
        }
        for i, own in enumerate(values)
        for name, value in own.items()
    ]
    rows += [
        {
            "run_id": "0",
            "metric": "manipulation/accuracy",
            "value": 1.0,
            "dims": "split=train_people,task=parity",
        }
    ]
    runs = pl.DataFrame({"run_id": ["0", "1", "2"], "data.hint_fraction": [0.0, 0.0, 0.5]})
    results = Results.of(runs, rows)
    axes = Figure().subplots()
    draw_tasks(axes, results, ["never measured", "parity"], split="held_out_people")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    heights = [patch.get_height() for patch in axes.patches]
    assert heights == pytest.approx([0.5, 0.5, 0.7, 0.9, 0.3, 1.0])
    assert labels == [
        "chance",
        "without hint, trained without hints",
        "without hint, trained with hints",
        "with hint, generated",
        "hint accuracy",
        "hint faithfulness",
    ]
