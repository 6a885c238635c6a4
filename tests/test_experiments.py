"""What is committed of experiments agrees with itself."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from physlm.claim_runs import own_results
from physlm.claims import ledger, read_claims
from physlm.results import Results

FOLDER = Path(__file__).parent.parent / "experiments"
EXPERIMENTS = sorted(path.parent for path in FOLDER.glob("*/runs.csv"))
CLAIMS = sorted(FOLDER.glob("*/claims.yaml"))


@pytest.mark.parametrize("path", CLAIMS, ids=lambda p: p.parent.name)
def test_claims_can_be_read_and_say_how_they_are_tested(path):
    for claim in read_claims(path):
        assert claim.command.startswith("python -m physlm.run +")
    assert (path.with_name("README.md")).is_file()


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_every_experiment_has_its_files(folder):
    for name in ("README.md", "claims.yaml", "runs.csv", "metrics.csv", "figure.py", "figure.svg"):
        assert (folder / name).is_file(), name
    assert read_claims(folder / "claims.yaml")


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
def test_results_are_of_the_runs_that_the_commands_of_claims_make(folder):
    """Their ids are computed anew, from what configuration and code are now."""
    results = Results.read(folder)
    claims = read_claims(folder / "claims.yaml")
    claimed = [own_results(claim, results).runs["run_id"] for claim in claims]
    assert set().union(*claimed) == set(results.runs["run_id"])


def test_a_claim_can_be_read_without_the_one_before():
    claims = [claim for path in CLAIMS for claim in read_claims(path)]
    assert len({claim.id for claim in claims}) == len(claims)
    leans = re.compile(r"^(Indeed|So|Nor|They|It|At least half of it|And|With 1 of 20, too|Its)\b")
    assert [claim.id for claim in claims if leans.match(claim.statement)] == []
    assert [claim.id for claim in claims if "the above" in claim.statement] == []


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_the_figure_is_drawn_from_the_results(folder, tmp_path, monkeypatch):
    for path in (folder / "figure.py", *folder.glob("*.csv")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(sys, "argv", ["figure.py"])
    runpy.run_path(str(tmp_path / "figure.py"), run_name="__main__")
    assert (tmp_path / "figure.svg").read_text().startswith("<?xml")


# Last, since the tests above have composed what it needs, folder by folder.
def test_the_ledger_is_what_claims_and_results_give():
    assert (FOLDER / "README.md").read_text().endswith(f"\n\n{ledger(EXPERIMENTS)}")
