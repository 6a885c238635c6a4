"""The committed law: what its file holds, and that it is what the committed results give."""

import pytest

from physlm.errors import InputError
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
    again, law = read_law(tmp_path / "law.yaml"), read_law()
    assert again.fit == pytest.approx(law.fit, rel=1e-3)
    assert again.spread == pytest.approx(law.spread, rel=1e-3)
    assert (again.runs, again.experiments, again.ranges) == (law.runs, law.experiments, law.ranges)
    for has_junk, check in again.checks.items():
        assert check == pytest.approx(law.checks[has_junk], rel=1e-3)
    shares = ([y for _, y in one.junk_share.points] for one in (again, law))
    assert next(shares) == pytest.approx(next(shares), rel=1e-2)
    assert LAW_FILE.read_text().startswith("# The capacity law fitted to the committed results")


def test_no_run_that_the_law_is_checked_on_was_fitted():
    checked = set(Results.read(FOLDER / "planner").runs["run_id"])
    assert checked.isdisjoint(plain_runs(FOLDER)["run_id"])
    assert "planner" not in FITTED


def test_the_committed_predictions_are_those_of_the_committed_law():
    """Of one run of each kind; to compose all of them takes seconds."""
    experiment, law = read_experiment(FOLDER / "planner"), read_law()
    committed = read_predictions(FOLDER / "planner")
    for arm in (next(iter(experiment.runs)), list(experiment.runs)[-1]):
        for run_id, run in experiment.points("laptop", experiment.seeds[:1], [arm]).items():
            assert predicted(run, law) == pytest.approx(committed[run_id], rel=1e-4)
