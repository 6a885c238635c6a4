"""The committed law: what its file holds, and that it is what the committed results give."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from physlm.errors import InputError
from physlm.models.components import MlpKind
from physlm.report.experiment import read_experiment
from physlm.report.planner.fitted_law import law_of_experiments
from physlm.report.planner.law_file import LAW_FILE, read_law, write_law
from physlm.report.planner.measured_runs import FITTED, plain_runs
from physlm.report.planner.predictions import predicted
from physlm.report.predicted import read_predictions
from physlm.report.results import Results
from tests.report.planner.laws import planted_law
from tests.test_experiments import FOLDER


def test_a_law_is_the_same_after_it_was_written(tmp_path):
    law = planted_law()
    write_law(law, tmp_path / "law.yaml")
    again = read_law(tmp_path / "law.yaml")
    assert again.fit == pytest.approx(law.fit, rel=1e-5)
    assert again.junk == law.junk
    assert again.log_weights[4] == law.log_weights[4]
    assert again.ranges == law.ranges
    assert again.checks == law.checks


@pytest.mark.parametrize("text", ["", "fit: 3", "{", "ranges: {exposures: [1]}"])
def test_a_file_that_holds_no_law_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "law.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"law.yaml holds no law \(.*--refit writes it") as raised:
        read_law(path)
    assert "\n" not in str(raised.value)


def test_the_committed_law_is_that_of_the_committed_results(tmp_path):
    """Least squares end at the same digits on every processor, to far less than their error."""
    write_law(law_of_experiments(), tmp_path / "law.yaml")
    again, law = (yaml.safe_load(path.read_text()) for path in (tmp_path / "law.yaml", LAW_FILE))
    # Of draws that leave a value undecided; 100 of them are one array.
    draws = [np.array(content.pop("resampled")) for content in (again, law)]
    assert np.median(draws[0], axis=0) == pytest.approx(np.median(draws[1], axis=0), rel=1e-2)
    leaves = [dict(values(content)) for content in (again, law)]
    assert leaves[0].keys() == leaves[1].keys()
    for key, value in leaves[1].items():
        expected = value if isinstance(value, str) else pytest.approx(value, rel=1e-3)
        assert leaves[0][key] == expected, key


def values(content, *path):
    """Every number or text of nested keys and lists, with its path."""
    if not isinstance(content, dict | list):
        yield path, content
        return
    for key, one in content.items() if isinstance(content, dict) else enumerate(content):
        yield from values(one, *path, key)


def test_no_run_that_the_law_is_checked_on_was_fitted():
    checked = set(Results.read(FOLDER / "planner").runs["run_id"])
    assert checked.isdisjoint(plain_runs(FOLDER)["run_id"])
    assert "planner" not in FITTED


def test_the_committed_predictions_are_those_of_the_committed_law():
    """Of a run without junk and one with it; to compose all of them takes seconds."""
    experiment, law = read_experiment(FOLDER / "planner"), read_law()
    committed = read_predictions(FOLDER / "planner")
    for arm in ("40_exposures", "half_junk"):
        for run_id, run in experiment.points(seeds=[0], arms=[arm]).items():
            assert predicted(run, law) == pytest.approx(committed[run_id], rel=1e-4)


def test_what_the_check_found_wrong_is_outside_the_range():
    experiment, law = read_experiment(FOLDER / "planner"), read_law()
    for arm, reason in (
        ("most_junk", r"0.75 junk \(measured for 0 to 0.5 and 0.875\)"),
        (
            "junk_token",
            r"150 exposures, junk 0.875 with domain tokens \(measured for 100 and 300\)",
        ),
    ):
        (run,) = experiment.points(seeds=[0], arms=[arm]).values()
        with pytest.raises(InputError, match=reason):
            predicted(run, law)


def test_a_run_with_another_mlp_is_not_predicted():
    (run,) = read_experiment(FOLDER / "planner").points(seeds=[0], arms=["40_exposures"]).values()
    gated = replace(run, model=replace(run.model, mlp=MlpKind.gated_silu))
    with pytest.raises(InputError, match="is not of people and a decoder with a plain MLP"):
        predicted(gated, read_law())
