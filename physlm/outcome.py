"""What a run came to, and whether it was carried to its end before."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from physlm.config import RunConfig
from physlm.drawing import undrawn
from physlm.errors import DivergedError, UnmeasuredError
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        record: Its record.
        path: Where the record is.
        was_done: Nothing of it was left to be trained or measured.
        outdated: The scorers that measure otherwise by now, and their versions.
    """

    record: RunRecord
    path: Path
    was_done: bool
    outdated: tuple[str, ...] = ()


def earlier_outcome(config: RunConfig, directory: RunDirectory) -> Outcome | None:
    """What a run came to that was trained before; None if it is to be trained.

    Raises:
        InputError: If its record is damaged, or of another run.
    """
    record = None if config.force else directory.read_record(config.run_id, config.as_dict())
    if record is None:
        return None
    # A diverged run cannot be measured.
    is_done = record.status == "diverged" or not (config.rescore or record.unmeasured(config.eval))
    outdated = record.outdated({name: scorer.version for name, scorer in config.eval.items()})
    return Outcome(record, directory.record, was_done=is_done, outdated=outdated)


def settled_outcome(config: RunConfig, directory: RunDirectory) -> Outcome | None:
    """What a run came to before; None if any of it is still to be trained, measured or drawn.

    Raises:
        InputError: If its record is damaged, or of another run.
    """
    outcome = earlier_outcome(config, directory)
    if outcome is None or not outcome.was_done:
        return None
    is_drawn = not undrawn(config.eval, outcome.record, directory)
    return outcome if is_drawn or outcome.record.status == "diverged" else None


def faults(outcomes: Iterable[Outcome]) -> dict[str, DivergedError | UnmeasuredError]:
    """By run id, why runs that have a record did not come to their end."""
    found: dict[str, DivergedError | UnmeasuredError] = {}
    for outcome in outcomes:
        try:
            outcome.record.raise_unless_finished()
        except (DivergedError, UnmeasuredError) as error:
            found[outcome.record.run_id] = error
    return found
