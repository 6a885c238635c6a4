"""What a run came to, and whether it was carried to its end before."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from physlm.config import RunConfig
from physlm.errors import DivergedError, InputError, UnmeasuredError
from physlm.measuring import outdated, undrawn, unmeasured
from physlm.record import SCIENCE, RunDirectory, RunRecord, flatten


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        record: Its record.
        path: Where the record is.
        was_done: The run had finished before and was not repeated.
        outdated: The scorers that measure otherwise by now, and their versions.
    """

    record: RunRecord
    path: Path
    was_done: bool
    outdated: tuple[str, ...] = ()


def earlier_record(config: RunConfig, directory: RunDirectory) -> RunRecord | None:
    """The record of a run that was trained before; None if it is to be trained.

    Raises:
        InputError: If it is damaged, or of another run.
    """
    record = None if config.force else directory.read_record(config.run_id)
    if record is not None:
        _require_alike(config, record, directory)
    return record


def earlier_outcome(config: RunConfig, directory: RunDirectory) -> Outcome | None:
    """What a run came to before; None if any of it is still to be trained, measured or drawn.

    Raises:
        InputError: If its record is damaged, or of another run.
    """
    record = earlier_record(config, directory)
    if record is None:
        return None
    if record.status != "diverged" and (
        config.rescore or unmeasured(config, record) or undrawn(config, record, directory)
    ):
        return None
    return as_before(config, record, directory)


def as_before(config: RunConfig, record: RunRecord, directory: RunDirectory) -> Outcome:
    """The outcome of a run that is not repeated, and which scorers measure otherwise by now."""
    is_diverged = record.status == "diverged"
    notes = () if is_diverged else tuple(outdated(config, record).values())
    return Outcome(record, directory.record, was_done=True, outdated=notes)


def faults(outcomes: Iterable[Outcome]) -> dict[str, DivergedError | UnmeasuredError]:
    """By run id, why runs that have a record did not come to their end."""
    found: dict[str, DivergedError | UnmeasuredError] = {}
    for outcome in outcomes:
        try:
            outcome.record.raise_unless_finished()
        except (DivergedError, UnmeasuredError) as error:
            found[outcome.record.run_id] = error
    return found


def _require_alike(config: RunConfig, record: RunRecord, directory: RunDirectory) -> None:
    """A record's configuration is that of its run id, wherever both have a value."""
    theirs, ours = flatten(record.config), flatten(config.as_dict())
    for name, value in ours.items():
        if name.split(".")[0] in SCIENCE and name in theirs and theirs[name] != value:
            raise InputError(
                f"{directory.record} says {name}={theirs[name]}, but run {config.run_id} has "
                f"{value}; delete it to run this point again"
            )
