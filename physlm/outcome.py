"""The outcome of a run or of several, and whether they were complete before."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from physlm.config import RunConfig
from physlm.drawing import undrawn
from physlm.errors import DivergedError, UnmeasuredError
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        record: Its record.
        path: Where the record is.
        was_done: Whether it had been trained and measured before.
        outdated: Scorers whose versions have changed since, with both versions.
    """

    record: RunRecord
    path: Path
    was_done: bool
    outdated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replication:
    """The outcomes of several seeds or learning rates.

    Attributes:
        outcomes: Outcomes of the runs that ended.
        errors: Errors of the others, by run id.
        directory: Directory for figures of all runs.
    """

    outcomes: list[Outcome]
    errors: dict[str, BaseException]
    directory: Path


class EndedPoint(NamedTuple):
    """The outcome of a point of a sweep, which has one run or several.

    Attributes:
        status: Its exit status; 0 for success.
        run_dirs: Directories of its runs.
        in_use: The directory of a run that it needs, and that another process works on.
        is_queued: Whether its runs are left to Slurm's queue, so that nothing has ended yet.
    """

    status: int
    run_dirs: tuple[Path, ...] = ()
    in_use: Path | None = None
    is_queued: bool = False


def earlier_outcome(config: RunConfig, directory: RunDirectory) -> Outcome | None:
    """The outcome of an earlier attempt; None if the run is not trained.

    Raises:
        InputError: If its record is damaged, or of another run.
    """
    record = None if config.force else directory.read_record(config.run_id, config.deciding())
    if record is None:
        return None
    # A diverged run cannot be measured.
    is_done = record.status == "diverged" or not (config.rescore or record.unmeasured(config.eval))
    outdated = record.outdated({name: scorer.version for name, scorer in config.eval.items()})
    return Outcome(record, directory.record, was_done=is_done, outdated=outdated)


def settled_outcome(config: RunConfig, directory: RunDirectory) -> Outcome | None:
    """The outcome of a complete run; None if training, a metric or a figure is missing.

    Raises:
        InputError: If its record is damaged, or of another run.
    """
    outcome = earlier_outcome(config, directory)
    if outcome is None or not outcome.was_done:
        return None
    is_diverged = outcome.record.status == "diverged"
    is_fixed = not os.access(directory.path, os.W_OK)  # no figure can be drawn there
    is_drawn = is_diverged or is_fixed or not undrawn(config.eval, outcome.record, directory)
    return outcome if is_drawn else None


def settled_replication(config: RunConfig) -> Replication | None:
    """The outcomes of all points of a configuration; None if one of them is not complete.

    Raises:
        InputError: If a record is damaged, or of another run.
    """
    outcomes = []
    for point in config.points:
        outcome = settled_outcome(point, RunDirectory(point.run_dir))
        if outcome is None:
            return None
        outcomes.append(outcome)
    return Replication(outcomes, {}, replicates_directory(config))


def replicates_directory(config: RunConfig) -> Path:
    """Where figures and checkpoints of all points of a configuration are kept together."""
    ids = " ".join(sorted(point.run_id for point in config.points))
    name = f"{config.experiment}-{hashlib.sha256(ids.encode()).hexdigest()[:8]}"
    return Path(config.runs_dir) / "replicates" / name


def faults(outcomes: Iterable[Outcome]) -> dict[str, DivergedError | UnmeasuredError]:
    """Why runs with a record are not finished, by run id."""
    found: dict[str, DivergedError | UnmeasuredError] = {}
    for outcome in outcomes:
        try:
            outcome.record.raise_unless_finished()
        except (DivergedError, UnmeasuredError) as error:
            found[outcome.record.run_id] = error
    return found
