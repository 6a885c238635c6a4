"""What is committed of experiments agrees with itself."""

import runpy
import sys
from pathlib import Path

import pytest

from physlm.report.decisions import decided_experiments
from physlm.report.experiment import read_experiment
from physlm.report.ledger import BEGIN, END, all_claims, ledger
from physlm.report.results import Results

FOLDER = Path(__file__).parent.parent / "experiments"
EXPERIMENTS = sorted(path.parent for path in FOLDER.glob("*/experiment.yaml"))

# Of these, mixtures of two experts were run at one rate, and two positions with more seeds.
IN_PART = {"capacity_moe", "cfg_position"}


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_every_experiment_has_its_files(folder):
    for name in ("README.md", "runs.csv", "metrics.csv", "figure.py", "figure.svg"):
        assert (folder / name).is_file(), name
    assert read_experiment(folder).claims


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_results_are_of_clean_code_and_one_row_a_run(folder):
    results = Results.read(folder)
    runs = results.runs
    assert runs["run_id"].is_unique().all()
    assert runs["git_revision"].null_count() == 0
    assert (runs["status"] == "finished").all()
    if "data.exposures" in runs.columns:
        assert (runs["exposures"] == runs["data.exposures"]).all()
    assert set(results.metrics["run_id"]) == set(runs["run_id"])
    assert results.metrics.select("run_id", "metric", "dims").is_unique().all()
    assert results.metrics["value"].is_finite().all()


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_results_are_of_the_runs_of_the_experiment(folder):
    """Their ids are computed anew, from what configuration and code are now."""
    runs = Results.read(folder).runs
    experiment = read_experiment(folder)
    own = experiment.points("laptop", runs["seed"].unique().sort().to_list(), experiment.runs)
    assert set(runs["run_id"]) <= set(own)
    assert set(experiment.seeds) <= set(runs["seed"])
    assert set(runs["run_id"]) == set(own) or folder.name in IN_PART


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_the_figure_is_drawn_from_the_results(folder, tmp_path, monkeypatch):
    for path in (folder / "figure.py", *folder.glob("*.csv")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(sys, "argv", ["figure.py"])
    runpy.run_path(str(tmp_path / "figure.py"), run_name="__main__")
    assert (tmp_path / "figure.svg").read_text().startswith("<?xml")


# Last, since the tests above have composed what it needs, folder by folder.
def test_the_ledger_and_every_readme_are_what_claims_and_results_give():
    found = decided_experiments(EXPERIMENTS)
    texts = {FOLDER: ledger(found, headlines_only=True)}
    texts |= {FOLDER / one.experiment.name: all_claims(one) for one in found}
    for folder, text in texts.items():
        assert (folder / "README.md").read_text().endswith(f"{BEGIN}\n\n{text}\n{END}\n"), folder
