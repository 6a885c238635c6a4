"""Experiment files: the runs of their arms, and the refusal of malformed ones."""

import re

import pytest
import yaml

from physlm.errors import InputError
from physlm.report.experiment import read_experiment

CLAIM = {
    "id": "two",
    "statement": "About 2 bits",
    "source": "Part 3.3",
    "published": "2",
    "metric": "bits",
    "select": {},
    "expect": {"at_least": 1},
}

ARMS = {
    "often": ["+experiment=capacity_1000x", "model.d_model=24,32"],
    "seldom": ["+experiment=capacity_100x", "model.d_model=32"],
}

CONTENT = {
    "title": "Capacity",
    "source": {"paper": "Part 3.3", "result": "result 1"},
    "seeds": [0, 3],
    "scale": "laptop",
    "runs": ARMS,
    "claims": [CLAIM],
}


def read(folder, **changes):
    folder.mkdir(exist_ok=True)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(CONTENT | changes))
    return read_experiment(folder)


def test_every_point_of_every_arm_is_run_with_every_seed(tmp_path):
    points = read(tmp_path).points()
    found = sorted((p.data.exposures, p.model.d_model, p.seed) for p in points.values())
    assert found == [(100, 32, 0), (100, 32, 3), *((1000, d, s) for d in (24, 32) for s in (0, 3))]
    assert all(run_id == point.run_id for run_id, point in points.items())


def test_overrides_follow_those_of_the_arms(tmp_path):
    points = read(tmp_path).points(seeds=[0], arms=["often"], words=["model.d_model=16"])
    assert [point.model.d_model for point in points.values()] == [16]


def test_runs_and_claims_have_the_scale_of_the_experiment_and_runs_any_other(tmp_path):
    experiment = read(tmp_path, scale="gpu", runs=["+experiment=capacity_100x"])
    assert {claim.scale for claim in experiment.claims} == {"gpu"}
    assert {run.scale.value for run in experiment.points().values()} == {"gpu"}
    assert {run.scale.value for run in experiment.points(scale="paper").values()} == {"paper"}


def test_seeds_are_a_list_or_their_number(tmp_path):
    assert read(tmp_path).seeds == (0, 3)
    assert read(tmp_path, seeds=3).seeds == (0, 1, 2)


def test_a_claim_is_about_all_arms_or_the_named_ones(tmp_path):
    claims = [CLAIM, CLAIM | {"id": "few", "runs": "seldom"}]
    both, few = read(tmp_path / "law", claims=claims).claims
    assert both.arms == (tuple(ARMS["often"]), tuple(ARMS["seldom"]))
    assert both.command == "python -m physlm.reproduce law"
    assert few.arms == (tuple(ARMS["seldom"]),)
    assert few.command == "python -m physlm.reproduce law --only seldom"


def test_a_single_arm_has_the_name_of_its_experiment(tmp_path):
    assert list(read(tmp_path / "law", runs=["+sweeps=extraction"]).runs) == ["law"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"titel": "Capacity"},
            "unknown field titel; one of title, source, seeds, scale, runs, claims",
        ),
        ({"title": 3}, "title=3; must be text"),
        ({"source": "Part 3.3"}, "source=Part 3.3; needs paper and result"),
        (
            {"seeds": [0, 0]},
            "seeds=[0, 0]; must be distinct integers of at least 0, or their number",
        ),
        ({"seeds": 0}, "seeds=[]; must be distinct integers of at least 0, or their number"),
        ({"seeds": [-1]}, "seeds=[-1]; must be distinct integers of at least 0, or their number"),
        ({"scale": "large"}, "scale=large; one of laptop, workstation, gpu, paper"),
        ({"scale": 3}, "scale=3; must be text"),
        ({"claims": [CLAIM | {"scale": "gpu"}]}, "claim two: unknown field scale; one of id, "),
        ({"runs": {}}, "runs={}; must be a list of overrides, or arms, each with its own list"),
        ({"runs": {"a": "+sweeps=b"}}, "runs.a=+sweeps=b; must be a list of overrides such as"),
        (
            {"runs": ["+sweeps=b", "seeds=5"]},
            "runs: seeds=5 is not allowed in an arm; the experiment's fields",
        ),
        ({"claims": {}}, "claims: must be a list of claims, each with its fields"),
        ({"claims": ["two"]}, "claims: must be a list of claims, each with its fields"),
        (
            {"claims": [CLAIM | {"verdict": "holds"}]},
            "claim two: unknown field verdict; one of id, ",
        ),
        ({"claims": [{"id": "two"}]}, "claim two: field statement is missing"),
        ({"claims": [CLAIM | {"by": "ratio"}]}, "claim two: by=ratio needs compared_to"),
        ({"claims": [CLAIM | {"metric": "bits{"}]}, "claim two: "),
        (
            {"claims": [CLAIM | {"runs": ["never"]}]},
            "claim two: runs=['never']; must be some of often, sel",
        ),
        ({"claims": [CLAIM, CLAIM]}, "claim two occurs twice; give each claim its own id"),
    ],
)
def test_malformed_experiments_are_refused_by_file_claim_and_field(tmp_path, changes, message):
    with pytest.raises(InputError, match=f"experiment.yaml: {re.escape(message)}"):
        read(tmp_path, **changes)


@pytest.mark.parametrize("text", ["- text", "none", "title: [", ""])
def test_a_file_without_a_mapping_is_refused(tmp_path, text):
    (tmp_path / "experiment.yaml").write_text(text)
    with pytest.raises(InputError, match="experiment.yaml: "):
        read_experiment(tmp_path)


def test_a_folder_without_an_experiment_is_refused(tmp_path):
    with pytest.raises(InputError, match="experiment.yaml: does not exist"):
        read_experiment(tmp_path)
