"""Bars of manipulation tasks stand for means over the runs that they name."""

import polars as pl
import pytest
from matplotlib.figure import Figure

from physlm.analysis.manipulation_figure import draw_tasks


def test_bars_are_means_over_the_runs_with_and_without_facts_in_training():
    name = "manipulation/parity"
    results = pl.DataFrame({
        "data.facts_share": [0.0, 0.0, 0.5],
        f"{name}/chance@out_of_distribution": [0.5, 0.5, 0.5],
        f"{name}/accuracy@out_of_distribution": [0.4, 0.6, 0.7],
        f"{name}/accuracy_with_facts@out_of_distribution": [None, None, 0.9],
        f"{name}/facts@out_of_distribution": [None, None, 0.3],
        f"{name}/reliance@out_of_distribution": [None, None, 1.0],
        f"{name}/accuracy@in_distribution": [1.0, 1.0, 1.0],
    })  # fmt: skip
    axes = Figure().subplots()
    draw_tasks(axes, results, ["never measured", "parity"], split="out_of_distribution")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    heights = [patch.get_height() for patch in axes.patches]
    assert heights == pytest.approx([0.5, 0.5, 0.7, 0.9, 0.3, 1.0])
    assert labels == ["chance", "straight, trained so", "straight, trained with facts too",
                      "after facts of its own", "those facts", "follows given facts"]  # fmt: skip
