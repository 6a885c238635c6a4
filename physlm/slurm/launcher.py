"""The launcher that a sweep of Hydra's uses where `launcher=slurm` is chosen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from physlm.config import RunConfig, composed
from physlm.errors import InputError
from physlm.launcher import LauncherConfig
from physlm.messages import BAD_INPUT, FAULT, INTERRUPTED, explain
from physlm.outcome import EndedPoint, faults, settled_outcome
from physlm.run_directory import RunDirectory
from physlm.slurm.launch import Job, Order, orders_of, submit_orders, wait_for
from physlm.watching import tell

_STATUSES = (FAULT, BAD_INPUT, INTERRUPTED)  # of commands that failed; others come from Slurm


class EndedJob(NamedTuple):
    """A point that has ended, in the form of Hydra's jobs.

    Attributes:
        overrides: Of the point.
        return_value: How it ended.
    """

    overrides: Sequence[str]
    return_value: EndedPoint


class _Point(NamedTuple):
    """A point of the sweep: its overrides, a prefix of messages, its runs, and their orders."""

    words: Sequence[str]
    prefix: str
    config: RunConfig
    orders: list[Order]

    @property
    def run_dirs(self) -> tuple[Path, ...]:
        """The directories of its runs."""
        return tuple(run.run_dir for run in self.config.points)

    @property
    def is_settled(self) -> bool:
        """Whether all its runs have ended."""
        return all(order.once.is_settled for order in self.orders)


class SlurmLauncher:
    """Submits the points of a sweep; once their jobs have ended, their results are shown here."""

    def __init__(self, local: Any, folder: Path) -> None:
        """Prepare; nothing is submitted yet.

        Args:
            local: Hydra's launcher in this process, which shows the table of a single point.
            folder: Of the sweep, for scripts and logs.
        """
        self._local, self._folder = local, folder

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[Any]:
        """Complete points in jobs, as Hydra's launchers do.

        Args:
            job_overrides: The overrides of each point.
            initial_job_idx: Number of points launched before.

        Raises:
            InputError: If a value is refused, or Slurm refuses the jobs.
            InterruptedRunError: If this process is asked to stop; the jobs go on.
        """
        points, refused = _points(job_overrides)
        if not points:
            return refused
        settings = points[0].config.launcher or LauncherConfig()
        orders = [order for point in points for order in point.orders]
        jobs = submit_orders(orders, settings, self._folder / "slurm")
        if jobs and not settings.wait:
            tell(
                "not waiting; the same command waits for these jobs and shows the results, and "
                "python -m physlm.collate tabulates what is finished"
            )
            return [EndedJob(p.words, EndedPoint(0, p.run_dirs, is_queued=True)) for p in points]
        wait_for(list(jobs.values()))
        if len(job_overrides) == 1 and points[0].is_settled:
            words = [*points[0].words, "force=false", "rescore=false"]
            return self._local.launch([words], initial_job_idx=initial_job_idx)  # type: ignore[no-any-return]
        return [*(EndedJob(point.words, _ended(point, jobs)) for point in points), *refused]


def _points(job_overrides: Sequence[Sequence[str]]) -> tuple[list[_Point], list[EndedJob]]:
    """The points that can be run, and the others, each with its error printed.

    Raises:
        InputError: If there is only one point, and it cannot be run.
    """
    points, refused = [], []
    common = set.intersection(*map(set, job_overrides)) if len(job_overrides) > 1 else set()
    for words in job_overrides:
        own = " ".join(word for word in words if word not in common)
        prefix = f"point {own}: " if common else ""
        try:
            config = composed(tuple(words))
        except InputError as error:
            if len(job_overrides) == 1:
                raise
            status = explain(error, prefix)
            refused.append(EndedJob(words, EndedPoint(status)))
        else:
            points.append(_Point(words, prefix, config, orders_of(words, config)))
    return points, refused


def _ended(point: _Point, jobs: Mapping[Order, Job]) -> EndedPoint:
    """How the runs of a point have ended; the reasons of failures are printed."""
    status = 0
    for order in point.orders:
        once = order.once
        if once.is_settled:
            outcomes = (settled_outcome(run, RunDirectory(run.run_dir)) for run in once.runs)
            errors = faults(outcome for outcome in outcomes if outcome is not None)
            for error in errors.values():
                status = max(status, explain(error, point.prefix))
        else:
            tell(f"{point.prefix}{jobs[order].reason()}")
            own = jobs[order].folder.status(jobs[order].index)
            status = max(status, own if own in _STATUSES else FAULT)
    return EndedPoint(status, point.run_dirs)
