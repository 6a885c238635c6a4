"""What is committed of experiments agrees with itself."""

import runpy
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from physlm.config.lineage import lineage
from physlm.report.decisions import decided_experiments
from physlm.report.experiment import read_experiment
from physlm.report.ledger import BEGIN, END, all_claims, ledger
from physlm.report.page.curves import committed_points
from physlm.report.results import Results, has_results
from physlm.run_directory import LOSS
from physlm.science import science_of

FOLDER = Path(__file__).parent.parent / "experiments"
EXPERIMENTS = sorted(path.parent for path in FOLDER.glob("*/experiment.yaml"))
MEASURED = [path for path in EXPERIMENTS if has_results(path)]

# Composing hundreds of configurations takes a fifth of a second each: the points of sweeps are
# checked in `make slow`, except those of one sweep of each kind.
QUICK = [
    path
    for path in MEASURED
    if "sweeps" not in (path / "experiment.yaml").read_text() or path.name == "celebrity"
]
BY_COST = [
    pytest.param(path, marks=[] if path in QUICK else pytest.mark.slow, id=path.name)
    for path in MEASURED
]

# Of these, mixtures of two experts were run at one rate, and two positions with more seeds.
IN_PART = {"capacity_moe", "cfg_position"}


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_every_experiment_has_its_files(folder):
    own = {path.name for path in folder.iterdir()}
    assert own >= {"README.md", "figure.py"}
    assert not has_results(folder) or own >= {"runs.csv", "metrics.csv", "figure.svg"}
    assert read_experiment(folder).claims


@pytest.mark.parametrize("folder", MEASURED, ids=lambda p: p.name)
def test_results_are_of_clean_code_and_one_row_a_run(folder):
    results = Results.read(folder)
    runs = results.runs
    assert runs["run_id"].is_unique().all()
    assert runs["git_revision"].null_count() == 0
    assert (runs["status"] == "finished").all()
    assert (runs["scale"] == read_experiment(folder).scale).all()
    if "data.exposures" in runs.columns:
        assert (runs["exposures"] == runs["data.exposures"]).all()
    assert set(results.metrics["run_id"]) == set(runs["run_id"])
    assert results.metrics.select("run_id", "metric", "dims").is_unique().all()
    assert results.metrics["value"].is_finite().all()


@pytest.mark.parametrize("folder", BY_COST)
def test_results_are_of_the_runs_of_the_experiment(folder):
    """Their ids are computed anew, from what configuration and code are now."""
    runs = Results.read(folder).runs
    experiment = read_experiment(folder)
    own = experiment.points(seeds=runs["seed"].unique().sort().to_list())
    assert set(runs["run_id"]) <= set(own)
    assert set(experiment.seeds) <= set(runs["seed"])
    assert set(runs["run_id"]) == set(own) or folder.name in IN_PART
    # A tag at W&B; a control of another part of the papers keeps its own.
    assert experiment.source.paper in {run.paper for run in own.values()}
    assert "" not in {run.paper for run in own.values()}


PLANNED = [path for path in EXPERIMENTS if path not in MEASURED]


@pytest.mark.parametrize("folder", PLANNED, ids=lambda p: p.name)
def test_claims_of_an_experiment_that_has_not_been_run_select_its_runs(folder):
    """A misspelt selection would only be found after hours."""
    experiment = read_experiment(folder)
    assert runpy.run_path(str(folder / "figure.py"))
    for claim in experiment.claims:
        arms = [arm for arm, words in experiment.runs.items() if words in claim.arms]
        runs = experiment.points(seeds=experiment.seeds[:1], arms=arms).values()
        rows = [science_of(run.described()) | shown(run) for one in runs for run in lineage(one)]
        for select in claim.selections:
            assert any(row | select == row for row in rows), (claim.id, select)


def shown(run):
    return {"experiment": run.experiment, "init_from": run.init_from}


CURVES = [folder for folder in MEASURED if (folder / "curve.csv").is_file()]


@pytest.mark.parametrize("folder", CURVES, ids=lambda p: p.name)
def test_curves_are_of_the_runs_and_end_near_their_results(folder):
    """They measure a part of the people or strings, which tells it from the result by chance."""
    results, runs = Results.read(folder), defaultdict(list)
    for run_id, point in committed_points(folder):
        runs[run_id, point.metric].append(point)
    assert {run_id for run_id, _ in runs} <= set(results.runs["run_id"])
    compared = 0
    for (run_id, metric), points in runs.items():
        assert metric == LOSS or metric in results.texts
        own = results.filter(run_id=run_id)
        if metric != LOSS and "kl_nats" not in metric and "excess" not in metric:
            last = max(points, key=lambda point: point.tokens)
            assert last.value == pytest.approx(own.values(metric)[0], abs=0.15)
            compared += 1
    assert compared


@pytest.mark.parametrize("folder", BY_COST)
def test_the_figure_is_drawn_from_the_results(folder, tmp_path, monkeypatch):
    for path in (folder / "figure.py", *folder.glob("*.csv")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(sys, "argv", ["figure.py"])
    runpy.run_path(str(tmp_path / "figure.py"), run_name="__main__")
    assert (tmp_path / "figure.svg").read_text().startswith("<?xml")


# Last, since the tests above have composed what it needs, folder by folder.
def test_the_readmes_are_what_claims_and_results_give():
    for one in decided_experiments([*QUICK, *PLANNED]):
        text = (FOLDER / one.experiment.name / "README.md").read_text()
        assert text.endswith(f"{BEGIN}\n\n{all_claims(one)}\n{END}\n"), one.experiment.name


@pytest.mark.slow
def test_the_ledger_and_every_readme_are_what_claims_and_results_give():
    found = decided_experiments(EXPERIMENTS)
    texts = {FOLDER: ledger(found, headlines_only=True)}
    texts |= {FOLDER / one.experiment.name: all_claims(one) for one in found}
    for folder, text in texts.items():
        assert (folder / "README.md").read_text().endswith(f"{BEGIN}\n\n{text}\n{END}\n"), folder
