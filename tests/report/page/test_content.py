"""The data of a page equal the tables of results and the verdicts, in the documented order."""

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from physlm.measurement import Metric, parse_metric
from physlm.report.claim_runs import judged
from physlm.report.decisions import decided_experiments
from physlm.report.experiment import experiment_folders, read_experiment
from physlm.report.page.claim_table import metrics_of, papers
from physlm.report.page.content import content_of_experiments, content_of_runs
from physlm.report.page.curves import committed_points, curves
from physlm.report.page.run_table import run_table
from physlm.report.results import Results
from physlm.run_directory import CurvePoint, RunDirectory
from physlm.sweep import configurations
from tests.test_record import make_record

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
BITS = "capacity/bits_per_parameter{split=train}"


@pytest.fixture(scope="module")
def shown():
    """The claims of one experiment, as the page gets them."""
    folder = EXPERIMENTS / "capacity"
    page = EXPERIMENTS.parent / "page.html"
    (paper,) = papers(decided_experiments([folder]), EXPERIMENTS, page)
    return paper


def test_intervals_and_verdicts_are_those_of_the_claims(shown):
    (experiment,) = shown["experiments"]
    folder = EXPERIMENTS / "capacity"
    results = Results.read(folder)
    claims = read_experiment(folder).claims
    assert len(experiment["claims"]) == len(claims)
    for claim, row in zip(claims, experiment["claims"], strict=True):
        verdict, _ = judged(claim, results)
        found = row["verdict"]
        assert (found["low"], found["high"]) == (verdict.low, verdict.high)
        assert found["why"].startswith("needs") == (verdict.word == "undecided" and not verdict.why)
        assert (found["value"], found["n"], found["word"]) == (
            verdict.value,
            verdict.n,
            verdict.word,
        )
        assert row["expect"] == claim.expect


@pytest.mark.slow
def test_runs_of_a_folder_decide_the_claims_of_experiments_that_are_complete(tmp_path):
    """Two arms of one seed each would decide nothing: all seeds of the experiment are needed."""
    experiment = read_experiment(EXPERIMENTS / "cfg_encoder")
    metrics = dict.fromkeys(metric for claim in experiment.claims for metric in claim.metrics)
    values = {"cfg_inside": 0.9, "cfg_encoder": 0.7}
    for seed in experiment.seeds:
        for name, value in values.items():
            (config,) = configurations((f"+experiment={name}",), "laptop")
            run = replace(config, seed=seed)
            measured = [
                Metric(name=name, dims=dims, value=value + seed / 100, unit="", n=1)
                for name, dims in map(parse_metric, metrics)
            ]
            record = make_record(
                run_id=run.run_id, experiment=name, config=run.described(), metrics=tuple(measured)
            )
            RunDirectory(tmp_path / name / run.run_id).path.mkdir(parents=True)
            RunDirectory(tmp_path / name / run.run_id).write_record(record)
    content = content_of_runs([tmp_path], EXPERIMENTS.parent / "page.html")
    (group,), (table,) = content.claims, content.tables
    (paper,) = group["papers"]
    (shown,) = paper["experiments"]
    n_all = sum(len(read_experiment(f).claims) for f in experiment_folders())
    assert (shown["name"], shown["table"], shown["figure"]) == ("cfg_encoder", table["name"], None)
    assert [claim["id"] for claim in shown["claims"]] == [claim.id for claim in experiment.claims]
    assert all(claim["verdict"]["word"] == "holds" for claim in shown["claims"])
    assert shown["claims"][0]["verdict"]["value"] == pytest.approx(0.2)
    assert group["n_left_out"] == n_all - len(experiment.claims)


def test_an_experiment_has_its_figure_and_a_link_to_its_readme(shown):
    (experiment,) = shown["experiments"]
    assert experiment["readme"] == "experiments/capacity/README.md"
    assert experiment["figure"] == (EXPERIMENTS / "capacity" / "figure.svg").read_text()
    assert (shown["name"], shown["arxiv"]) == ("Part 3.3", "2404.05405")


def test_an_experiment_that_has_not_been_run_has_claims_without_table_and_figure(tmp_path):
    experiments = tmp_path / "experiments"
    shutil.copytree(EXPERIMENTS / "capacity_seeds", experiments / "capacity_seeds")
    (experiments / "planned").mkdir()
    text = (EXPERIMENTS / "capacity/experiment.yaml").read_text()
    (experiments / "planned/experiment.yaml").write_text(text)
    content = content_of_experiments(experiments, tmp_path / "page.html")
    assert [table["name"] for table in content.tables] == ["capacity_seeds"]
    (group,) = content.claims
    ((planned, measured),) = (paper["experiments"] for paper in group["papers"])
    assert (measured["table"], planned["table"]) == ("capacity_seeds", None)
    assert (measured["figure"] is None, planned["figure"]) == (False, None)
    assert {claim["verdict"]["word"] for claim in planned["claims"]} == {"not run"}
    assert {claim["measured"] for claim in planned["claims"]} == {"-"}


def test_varying_columns_come_first_and_configuration_before_metrics_and_facts():
    results = Results.read(EXPERIMENTS / "capacity")
    first = metrics_of(read_experiment(EXPERIMENTS / "capacity").claims)
    made = run_table("capacity", "", results, first=first)
    n_values = [made.table[name].n_unique() for name in made.table.columns]
    assert min(n_values[: made.n_varying]) > 1
    assert set(n_values[made.n_varying :]) <= {1}
    varying = made.kinds[1 : made.n_varying]
    assert list(varying) == sorted(varying, key=["configuration", "metric", "fact"].index)
    assert made.table.columns[0] == "run_id"
    assert "model.d_model" in made.table.columns[: made.n_varying]
    assert made.table.columns[1 + varying.count("configuration")] == BITS


def test_each_metric_is_in_the_row_of_its_run():
    results = Results.read(EXPERIMENTS / "capacity")
    made = run_table("capacity", "", results).table
    expected = results.table(BITS).select("run_id", BITS)
    assert made.select("run_id", BITS).equals(expected)


def test_nan_is_a_text_and_a_constant_column_has_one_value():
    runs = pl.DataFrame({"run_id": ["a", "b"], "seed": [0, 1], "scale": ["gpu", "gpu"]})
    rows = [
        {"run_id": "a", "metric": "x", "dims": "", "value": float("nan")},
        {"run_id": "b", "metric": "x", "dims": "", "value": 1 / 3},
    ]
    plain = run_table("n", "", Results.of(runs, rows)).as_plain()
    values = dict(zip(plain["columns"], plain["values"], strict=True))
    assert values == {
        "run_id": ["a", "b"],
        "seed": [0, 1],
        "x": ["nan", 0.3333333],
        "scale": ["gpu"],
    }


def test_committed_curves_keep_all_points():
    points = committed_points(EXPERIMENTS / "cfg_learn")
    table = pl.read_csv(EXPERIMENTS / "cfg_learn" / "curve.csv")
    made = curves(points)
    assert sum(len(curve["points"]) for curve in made) == len(table)
    assert len(made) == table.select("run_id", "metric", "dims").n_unique()


def test_long_curves_are_thinned_and_keep_their_ends():
    points = [("r", CurvePoint("m", i, float(i), None, i / 2)) for i in range(100_000)]
    (curve,) = curves(points)
    assert len(curve["points"]) == 60_000
    assert curve["points"][0] == [0.0, None, 0.0]
    assert curve["points"][-1] == [99_999.0, None, pytest.approx(99_999 / 2, rel=1e-4)]
