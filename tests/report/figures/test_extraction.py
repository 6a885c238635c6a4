"""Bars of extraction are means over the runs of each arm."""

import polars as pl
import pytest

from physlm.errors import InputError
from physlm.report.figures.extraction import (
    AUGMENTATIONS,
    Arm,
    draw_arms,
    draw_augmentations,
    draw_celebrities,
)
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


def test_arms_of_the_ladder_are_found_by_their_texts_and_have_one_configuration():
    rows, metrics = [], []
    for i, (name, values) in enumerate(AUGMENTATIONS.items()):
        columns = dict(zip(("n_paraphrases", "n_permutations", "order"), values, strict=True))
        people = {"experiment": "people", "model.n_layers": 4, "init_from": None}
        people |= {f"data.augmentation.{key}": value for key, value in columns.items()}
        start = f"+experiment=people +augmentation={name}"
        rows += [{"run_id": f"p{i}"} | people]
        rows += [dict.fromkeys(people) | {"run_id": f"q{i}", "init_from": start}]
        metrics += [(f"p{i}", "recall/accuracy", "split=train", i / 10)]
        for split in ("train_people", "held_out_people"):
            dims = (f"split={split}", f"attribute=city,split={split}")
            metrics += [(f"q{i}", "qa/exact_match", own, i / 20) for own in dims]
            metrics += [(f"q{i}", "qa/chance", f"split={split}", 0.0)]
    table = [dict(zip(("run_id", "metric", "dims", "value"), row, strict=True)) for row in metrics]
    results = Results.of(pl.DataFrame(rows, infer_schema_length=None), table)
    heights = [patch.get_height() for patch in draw_augmentations(results).axes[0].patches]
    assert heights[::4] == pytest.approx([i / 10 for i in range(6)])
    assert heights[2::4] == pytest.approx([i / 20 for i in range(6)])
    deeper = rows[0] | {"run_id": "deeper", "model.n_layers": 6}
    mixed = Results.of(pl.DataFrame([*rows, deeper], infer_schema_length=None), table)
    with pytest.raises(InputError, match="people of single with several model.n_layers"):
        draw_augmentations(mixed)


def test_a_minority_is_drawn_alone_and_beside_celebrities_with_one_text_or_several():
    start = "+experiment=people +augmentation={} data.n_minority=9"
    minority, texts = "data.n_minority", "data.augmentation.n_paraphrases"
    runs = [
        {"experiment": "people", minority: 9, texts: 5},
        {"experiment": "people", minority: 9, texts: 1},
        {"experiment": "people", minority: 0, texts: 1},
        {"experiment": "celebrity", "init_from": start.format("multi5_permute")},
        {"experiment": "celebrity", "init_from": start.format("single_permute1")},
        {
            "experiment": "extraction",
            "init_from": "+experiment=people +augmentation=single_permute1",
        },
    ]
    table = pl.DataFrame([{"run_id": str(i)} | run for i, run in enumerate(runs)])
    rows = [("recall/accuracy", "split=train", run_id) for run_id in "012"]
    rows += [("qa/chance", "split=held_out_people", run_id) for run_id in "345"]
    for split in ("split=train_people", "split=held_out_people"):
        rows += [("qa/exact_match", split, run_id) for run_id in "345"]
        rows += [("qa/exact_match", f"attribute=city,{split}", run_id) for run_id in "345"]
    named = [dict(zip(("metric", "dims", "run_id"), row, strict=True)) for row in rows]
    results = Results.of(table, [row | {"value": int(row["run_id"]) / 10} for row in named])
    totals, _ = draw_celebrities(results).axes
    labels = [text.get_text() for text in totals.get_xticklabels()]
    assert labels == ["alone", "beside\nsingle\ntexts", "beside\ncelebrities"]
    heights = [patch.get_height() for patch in totals.patches]
    assert heights[::4] == pytest.approx([0.2, 0.1, 0.0])
    assert heights[2::4] == pytest.approx([0.5, 0.4, 0.3])


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
