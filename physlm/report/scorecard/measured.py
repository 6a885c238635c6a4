"""The tests of one model, each measured once, by a run that is kept."""

from collections.abc import Sequence
from dataclasses import replace

from physlm.errors import InputError
from physlm.measurement import Metric, by_text
from physlm.pipeline import execute
from physlm.preparation import build_world
from physlm.record import RunRecord
from physlm.report.scorecard.card import Card
from physlm.report.scorecard.entries import entries_of
from physlm.report.scorecard.subject import FIGURES, OWN, Options, Subject
from physlm.run_directory import RunDirectory
from physlm.watching import tell


def card_of(subject: Subject, options: Options) -> Card:
    """The scorecard of a model; what was measured before is not measured again.

    Raises:
        InputError: If the model cannot be read, no test can be measured, or one fails; what was
            measured is kept.
    """
    _require_readable(subject, options)
    earlier = None if subject.kind != "run" else _record(subject)
    records = [] if earlier is None else [earlier]
    unmeasured = dict[str, str]()
    for test in options.tests:
        try:
            found = _measured(subject, test, options, earlier if test in OWN else None)
        except _NotApplicableError as error:
            unmeasured[test] = str(error)
        else:
            records += [] if found is None else [found]
    if not records and unmeasured:
        test, reason = next(iter(unmeasured.items()))
        raise InputError(f"{subject.name}: no test can be measured; {test}: {reason}")
    total = next((n for record in records if (n := record.parameters["total"])), None)
    return Card(
        name=subject.name,
        kind=subject.kind,
        parameters=total,
        entries=entries_of(_metrics(records)),
        unmeasured=unmeasured,
        records=tuple(record.run_id for record in records),
    )


class _NotApplicableError(Exception):
    """A test that is not for this model or its world."""


def _require_readable(subject: Subject, options: Options) -> None:
    """Refuse a model that cannot be read, which would otherwise be the reason of every test."""
    config = subject.configuration(FIGURES, options)
    assert config is not None
    build_world(replace(config, eval={}), is_started=True)


def _measured(
    subject: Subject, test: str, options: Options, earlier: RunRecord | None
) -> RunRecord | None:
    """The record of a test; None if there is nothing to measure, or the earlier record has it."""
    try:
        config = subject.configuration(test, options)
        if config is None or (earlier is not None and config.eval.keys() <= earlier.scorers.keys()):
            return None
        build_world(config, is_started=True)
    except InputError as error:
        raise _NotApplicableError(str(error)) from error
    tell(f"{subject.name}: {test}")
    outcome = execute(config, RunDirectory(config.run_dir), waits=True)
    assert outcome is not None  # in one process
    if outcome.record.errors:
        reason = "; ".join(outcome.record.errors.values())
        raise InputError(f"{subject.name}: {test} failed: {reason}")
    return outcome.record


def _record(subject: Subject) -> RunRecord:
    assert subject.path is not None
    record = RunDirectory(subject.path).read_record()
    assert record is not None
    return record


def _metrics(records: Sequence[RunRecord]) -> list[Metric]:
    """The metrics of all records; the last of equal ones, which has the options of all models."""
    found: dict[str, Metric] = {}
    for record in records:
        found |= by_text(record.metrics)
    return list(found.values())
