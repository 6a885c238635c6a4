"""Records of finished runs decide the claims of which no run is missing, and no others."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from physlm.measurement import Metric
from physlm.provenance import changes_of
from physlm.report.experiment import read_experiment
from physlm.report.recorded_claims import decided_by_records
from physlm.sweep import configurations
from tests.report.test_claims import CLAIM, write_experiment
from tests.test_record import make_record

RUN = "+experiment=capacity_1000x"
TWO_BITS = {"id": "two-bits"} | CLAIM
WIDE = CLAIM | {"id": "wide", "select": {"model.d_model": 48}, "runs": "arm1"}
VALUES = (1.9, 1.95, 2.0)


def records_of(words, values=VALUES, **changes):
    """Finished records of the runs of some words, one seed a value."""
    found = []
    for seed, value in enumerate(values):
        for config in configurations(tuple(words.split()), "laptop"):
            run = replace(config, seed=seed)
            facts = {
                "run_id": run.run_id,
                "experiment": run.experiment,
                "config": run.described(),
                "changed": changes_of(run),
                "metrics": (Metric(name="bits", value=value, unit="", n=1),),
            }
            found.append(make_record(**(facts | changes)))
    return found


@pytest.fixture
def experiment(tmp_path):
    """One claim about each of two arms, of three seeds."""
    write_experiment(
        tmp_path, [TWO_BITS | {"runs": "arm0"}, WIDE], (RUN, f"{RUN} model.d_model=48")
    )
    return read_experiment(tmp_path)


def ids(decided):
    return [claim.id for one in decided for claim in one.experiment.claims]


def test_a_claim_is_decided_by_the_complete_runs_of_its_arms(experiment):
    (decided,) = decided_by_records([experiment], records_of(RUN))
    ((claim, verdict),) = decided.decided
    margin = stats.t.ppf(0.975, 2) * stats.sem(VALUES)
    assert (claim.id, verdict.word, verdict.n) == ("two-bits", "holds", 3)
    assert (verdict.low, verdict.high) == pytest.approx(
        (np.mean(VALUES) - margin, np.mean(VALUES) + margin)
    )


def test_a_value_changed_by_an_arm_decides_and_one_changed_by_the_user_does_not(experiment):
    by_arm, by_user = (
        records_of(f"{RUN} {word}") for word in ("model.d_model=48", "data.n_people=200")
    )
    assert all(record.changed for record in (*by_arm, *by_user))
    assert ids(decided_by_records([experiment], by_arm)) == ["wide"]
    assert decided_by_records([experiment], by_user) == []
    # One changed run cannot stand in for the run of its seed.
    assert decided_by_records([experiment], [*records_of(RUN)[:2], by_user[2]]) == []


@pytest.mark.parametrize("status", ["diverged", "trained"])
def test_a_claim_with_a_missing_or_unfinished_run_is_left_out(experiment, status):
    *others, last = records_of(RUN)
    assert decided_by_records([experiment], others) == []
    assert decided_by_records([experiment], [*others, replace(last, status=status)]) == []


def test_both_groups_of_a_comparison_have_the_seeds_that_are_complete(tmp_path):
    rule = TWO_BITS | {"compared_to": {"data.exposures": 100}, "paired": True}
    write_experiment(
        tmp_path, [rule | {"expect": {"at_least": 0}}], (f"{RUN} data.exposures=100,1000",)
    )
    experiment = read_experiment(tmp_path)
    many = [1.9, 1.95, 2.0, 2.1]
    records = [*records_of(RUN, many), *records_of(f"{RUN} data.exposures=100", (1.0, 1.1, 1.2))]
    (decided,) = decided_by_records([experiment], records)
    assert (decided.verdicts[0].word, decided.verdicts[0].n) == ("holds", 3)


def test_runs_without_the_metric_leave_a_claim_undecided_and_say_why(experiment):
    (decided,) = decided_by_records([experiment], records_of(RUN, metrics=()))
    (verdict,) = decided.verdicts
    assert (verdict.word, verdict.value) == ("undecided", None)
    assert "no metric bits" in verdict.why


def test_values_of_another_type_elsewhere_do_not_hide_a_claim(experiment):
    """A table of all runs would have a column of texts for them."""
    odd = make_record(run_id="odd", config={"seed": 0, "data": {"exposures": "many"}})
    assert ids(decided_by_records([experiment], [*records_of(RUN), odd])) == ["two-bits"]
