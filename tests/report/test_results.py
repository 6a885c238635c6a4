"""Results in two tables, and selections of them."""

import polars as pl
import pytest

from physlm.errors import InputError
from physlm.report.results import Results

CHANCE = "qa/chance{split=test}"


def row(run_id, metric, dims, value):
    return {"run_id": run_id, "metric": metric, "dims": dims, "value": value}


@pytest.fixture
def results():
    runs = pl.DataFrame(
        {"run_id": ["12", "1e5", "c"], "seed": [0, 1, 0], "experiment": ["a", "a", "b"]}
    )
    return Results.of(
        runs,
        [
            row("c", "qa/chance", "split=test", 0.3),
            row("12", "qa/chance", "split=test", 0.1),
            row("12", "qa/chance", "attribute=major,split=test", 0.2),
            row("12", "cfg/robust", "temperature=1", 0.5),
            row("1e5", "cfg/robust", "temperature=0.1", 0.6),
            row("1e5", "capacity/maximum", "", 2.0) | {"stderr": 0.1, "n": 7},
        ],
    )


def test_metrics_become_columns_of_the_runs_in_their_order(results):
    table = results.table(CHANCE, "capacity/maximum")
    assert table["run_id"].to_list() == ["12", "1e5", "c"]
    assert table[CHANCE].to_list() == [0.1, None, 0.3]
    assert table["capacity/maximum"].to_list() == [None, 2.0, None]
    assert results.values(CHANCE).to_list() == [0.1, 0.3]


def test_written_results_are_read_back(results, tmp_path):
    results.write(tmp_path)
    found = Results.read(tmp_path)
    assert found.runs.equals(results.runs)
    assert found.metrics.equals(results.metrics)
    assert found.metrics["n"].to_list()[-2:] == [None, 7]


def test_a_selection_keeps_the_metrics_of_its_runs(results):
    for found in (results.filter(experiment="a"), results.filter(pl.col("experiment") == "a")):
        assert found.texts == [
            CHANCE,
            "qa/chance{attribute=major,split=test}",
            "cfg/robust{temperature=1}",
            "cfg/robust{temperature=0.1}",
            "capacity/maximum",
        ]
        assert found.values(CHANCE).to_list() == [0.1]
        assert set(found.metrics["run_id"]) == set(found.runs["run_id"]) == {"12", "1e5"}


def test_dims_become_columns_along_a_name(results):
    rows = results.along("cfg/robust")
    assert rows.columns == ["run_id", "value", "temperature"]
    assert rows["temperature"].to_list() == [1.0, 0.1]
    assert results.along("qa/chance")["attribute"].to_list() == [None, None, "major"]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("qa/chance", r"no metric qa/chance; did you mean qa/chance\{split=test\} or"),
        ("qa/chnace{split=test}", r"did you mean qa/chance\{split=test\}"),
        ("nothing like it", "write NAME or NAME"),
        ("xyz", "no metric xyz; see the rows of metrics.csv"),
    ],
)
def test_an_unknown_metric_is_refused_with_similar_names(results, metric, message):
    with pytest.raises(InputError, match=message):
        results.table(metric)


def test_a_metric_that_was_measured_twice_is_refused(results):
    twice = Results(results.runs, pl.concat([results.metrics, results.metrics[:1]]))
    with pytest.raises(InputError, match="twice for one run; leave out one of the scorers"):
        twice.values(CHANCE)


def test_missing_and_malformed_tables_are_refused(results, tmp_path):
    with pytest.raises(InputError, match=r"runs.csv is missing; python -m physlm.collate runs"):
        Results.read(tmp_path)
    results.write(tmp_path)
    (tmp_path / "metrics.csv").write_text("run_id,metric\n12,qa/chance\n")
    with pytest.raises(InputError, match="metrics.csv has no column dims; collate it again"):
        Results.read(tmp_path)
