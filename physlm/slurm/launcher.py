"""The launcher that a sweep of Hydra's uses where `launcher=slurm` is chosen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from physlm.config import RunConfig, composed
from physlm.early_end import INTERRUPTED
from physlm.errors import InputError
from physlm.launcher import LauncherConfig
from physlm.messages import BAD_INPUT, FAULT, explain
from physlm.outcome import EndedPoint, faults
from physlm.slurm.launch import Job, JobRequest, requests_of, submit_requests, wait_for
from physlm.watching import tell

_STATUSES = (FAULT, BAD_INPUT, INTERRUPTED)  # of commands that failed; others come from Slurm


class EndedJob(NamedTuple):
    """A point that has ended, in the form of Hydra's jobs.

    Attributes:
        overrides: Of the point.
        return_value: Its outcome.
    """

    overrides: Sequence[str]
    return_value: EndedPoint


class _Point(NamedTuple):
    """A point of the sweep: its overrides, a prefix of messages, its runs, and their requests."""

    overrides: Sequence[str]
    prefix: str
    config: RunConfig
    requests: list[JobRequest]

    @property
    def run_dirs(self) -> tuple[Path, ...]:
        """The directories of its runs."""
        return tuple(run.run_dir for run in self.config.points)


class SlurmLauncher:
    """Submits the points of a sweep; once their jobs have ended, their results are shown here."""

    def __init__(self, local: Any, folder: Path, config_dirs: list[str]) -> None:
        """Prepare; nothing is submitted yet.

        Args:
            local: Hydra's launcher in this process, which shows the table of a single point.
            folder: Of the sweep, for scripts and logs.
            config_dirs: Folders of configurations that the command line names.
        """
        self._local, self._folder, self._config_dirs = local, folder, config_dirs

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
        settings = _settings(points)
        requests = [one for point in points for one in point.requests]
        jobs = submit_requests(requests, settings, self._folder, self._config_dirs)
        if jobs and not settings.wait:
            tell(
                "not waiting; the same command waits for these jobs and shows the results, and "
                "python -m physlm.collate tabulates what is finished"
            )
            queued = [EndedPoint(0, point.run_dirs, is_queued=True) for point in points]
            return [*(map(EndedJob, (p.overrides for p in points), queued)), *refused]
        wait_for(list(jobs.values()))
        if len(job_overrides) == 1 and None not in [one.outcomes() for one in requests]:
            overrides = [*points[0].overrides, "force=false", "rescore=false"]
            return self._local.launch([overrides], initial_job_idx=initial_job_idx)  # type: ignore[no-any-return]
        return [*(EndedJob(point.overrides, _ended(point, jobs)) for point in points), *refused]


def _points(job_overrides: Sequence[Sequence[str]]) -> tuple[list[_Point], list[EndedJob]]:
    """The points that can be run, and the others, each with its error printed.

    Raises:
        InputError: If there is only one point, and it cannot be run.
    """
    points, refused = [], []
    common = set.intersection(*map(set, job_overrides)) if len(job_overrides) > 1 else set()
    for overrides in job_overrides:
        varied = " ".join(word for word in overrides if word not in common)
        prefix = f"point {varied}: " if common else ""
        try:
            config = composed(tuple(overrides))
            requests = requests_of(overrides, config)
        except InputError as error:
            if len(job_overrides) == 1:
                raise
            refused.append(EndedJob(overrides, EndedPoint(explain(error, prefix))))
        else:
            points.append(_Point(overrides, prefix, config, requests))
    return points, refused


def _settings(points: Sequence[_Point]) -> LauncherConfig:
    """The settings of all jobs.

    Raises:
        InputError: If points have different ones.
    """
    first = points[0].config.launcher
    assert first is not None
    for point in points:
        if point.config.launcher != first:
            raise InputError(
                f"{point.prefix}launcher.* differs between points, but is of the whole command; "
                "quote a value with commas, as in launcher.partition='\"low,high\"'"
            )
    return first


def _ended(point: _Point, jobs: Mapping[JobRequest, Job]) -> EndedPoint:
    """How the runs of a point have ended; the reasons of failures are printed."""
    status = 0
    for request in point.requests:
        outcomes = request.outcomes()
        if outcomes is None:
            job = jobs[request]
            tell(f"{point.prefix}{job.reason()}")
            status = max(status, job.status if job.status in _STATUSES else FAULT)
            continue
        for error in faults(outcomes).values():
            status = max(status, explain(error, point.prefix))
    return EndedPoint(status, point.run_dirs)
