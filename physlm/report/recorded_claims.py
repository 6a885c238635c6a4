"""Claims decided by the records of finished runs, if none of their runs is missing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from physlm.errors import InputError
from physlm.record import RunRecord
from physlm.report.claim import Claim
from physlm.report.experiment import Experiment
from physlm.report.summary import mixed_code
from physlm.report.tables import row_of, tabulate

if TYPE_CHECKING:
    from physlm.report.ledger import DecidedExperiment
    from physlm.report.verdict import Verdict


def decided_by_records(
    experiments: Iterable[Experiment], records: Iterable[RunRecord]
) -> "list[DecidedExperiment]":
    """The experiments with the claims that these runs decide, and their verdicts.

    A claim is decided if all its runs are finished, for every seed of its experiment. Other seeds
    count if they are complete, too. Its runs are identified by their ids, so a run with a changed
    value decides none. An experiment without a decided claim is left out.
    """
    finished = {record.run_id: record for record in records if record.status == "finished"}
    rows = _Rows(map(row_of, finished.values()))
    found = []
    for experiment in experiments:
        # Before its runs are composed, which takes seconds for an experiment of many arms.
        claims = [c for c in experiment.claims if rows.seeds_of(c).issuperset(experiment.seeds)]
        if claims:
            seeds = set().union(*map(rows.seeds_of, claims))
            found += _decided(replace(experiment, claims=tuple(claims)), seeds, finished)
    return found


class _Rows:
    """The rows of runs, looked up by the values that a claim selects."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = list(rows)
        self._places: dict[tuple[str, str], set[int]] = {}

    def seeds_of(self, claim: Claim) -> set[Any]:
        """The seeds that each selection of a claim finds."""
        found = [self._selected({**select, "scale": claim.scale}) for select in claim.selections]
        return set.intersection(*({self._rows[i].get("seed") for i in own} for own in found))

    def _selected(self, select: Mapping[str, Any]) -> set[int]:
        return set.intersection(*(self._with_value(*pair) for pair in select.items()))

    def _with_value(self, name: str, value: Any) -> set[int]:
        key = name, repr(value)
        if key not in self._places:
            self._places[key] = {i for i, row in enumerate(self._rows) if row.get(name) == value}
        return self._places[key]


def _decided(
    experiment: Experiment, seeds: Iterable[int], finished: Mapping[str, RunRecord]
) -> "list[DecidedExperiment]":
    """The experiment with its complete claims; nothing if it has none."""
    from physlm.report.claim_runs import complete_runs  # loads scipy
    from physlm.report.ledger import DecidedExperiment

    claims: list[Claim] = []
    verdicts: list[Verdict] = []
    used: set[str] = set()
    for claim in experiment.claims:
        complete = complete_runs(claim, seeds, finished)
        if complete.keys() >= set(experiment.seeds):
            own = set().union(*complete.values())
            claims.append(claim)
            verdicts.append(_verdict(claim, _of_runs(finished, own)))
            used |= own
    if not claims:
        return []
    code = mixed_code(tabulate(_of_runs(finished, used)).runs)
    return [DecidedExperiment(replace(experiment, claims=tuple(claims)), tuple(verdicts), code)]


def _of_runs(records: Mapping[str, RunRecord], run_ids: Collection[str]) -> list[RunRecord]:
    """Some records, in the order of all: a bootstrap interval depends on it."""
    return [record for run_id, record in records.items() if run_id in run_ids]


def _verdict(claim: Claim, own: Sequence[RunRecord]) -> "Verdict":
    """The verdict of the claim's own runs; undecided, with the reason, if they have no quantity."""
    from physlm.report.claim_runs import judged
    from physlm.report.verdict import Verdict

    try:
        return judged(claim, tabulate(own))[0]
    except InputError as error:
        return Verdict(None, None, None, 0, "undecided", why=str(error))
