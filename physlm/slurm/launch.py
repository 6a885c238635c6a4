"""Runs of a command as jobs of Slurm: submit those that are not finished, and wait for them."""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from physlm.atomic import write_text
from physlm.config import RunConfig
from physlm.errors import InputError, InterruptedRunError
from physlm.interruption import stop_requests
from physlm.launcher import LauncherConfig
from physlm.outcome import Outcome, settled_outcome
from physlm.run_directory import RunDirectory
from physlm.slurm.folder import JobFolder, Task, Work
from physlm.slurm.queue import final_state, most_jobs_of_an_array, queued, require_time, submit
from physlm.slurm.script import Resources, resources_of, script_text
from physlm.slurm.snapshot import keep_snapshot
from physlm.watching import tell

_FIRST_POLL_SECONDS, _POLL_SECONDS = 1.0, 15.0
_LINE_SECONDS = 30.0  # at least, between lines about the queue, where there is no terminal


@dataclass(frozen=True, slots=True)
class Job:
    """A job of an array.

    Attributes:
        name: As ``ARRAY_INDEX``.
        folder: Of its array.
    """

    name: str
    folder: JobFolder

    @property
    def array(self) -> str:
        """The id of its array."""
        return self.name.partition("_")[0]

    @property
    def index(self) -> int:
        """Its index in the array."""
        return int(self.name.partition("_")[2])

    @property
    def status(self) -> int | None:
        """Its exit status; None if it has not ended by itself."""
        return self.folder.status(self.index)

    def reason(self) -> str:
        """Why its run has no result: the last line of its log, or Slurm's word for its state."""
        log = self.folder.log(self.index)
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        lines = [line for line in text.splitlines() if line.strip()]
        own = [line for line in lines if not line.startswith(("srun: ", "slurmstepd"))]
        of_slurm = [line for line in lines if line.startswith(("srun: error", "srun: fatal"))]
        last = (own or of_slurm or [f"exit status {self.status}"])[-1]
        if self.status is None:
            last = f"job {self.name} ended as {final_state(self.name) or 'unknown'}"
        return f"{last} (log: {log})"


@dataclass(frozen=True, slots=True, eq=False)
class JobRequest:
    """One run to be done by a job, or several as replicas in one program.

    Attributes:
        overrides: The command line that describes them.
        runs: The runs.
        was_settled: Whether all had ended before, and nothing was left to measure or to draw.
    """

    overrides: tuple[str, ...]
    runs: tuple[RunConfig, ...]
    was_settled: bool

    def task(self, flags: Sequence[str]) -> Task:
        """The command that does them in a job.

        Args:
            flags: Of the command line, before the overrides.
        """
        arguments = [*flags, "--run", *self.overrides, "hydra.mode=RUN", "launcher=serial"]
        return Task(arguments, [str(run.run_dir.resolve()) for run in self.runs])

    def outcomes(self) -> list[Outcome] | None:
        """The outcomes after its job, which removes its note with the record; None if one lacks."""
        if not self.was_settled and any(RunDirectory(r.run_dir).job.exists() for r in self.runs):
            return None
        return _settled(replace(run, force=False, rescore=False) for run in self.runs)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The ids of its runs."""
        return tuple(run.run_id for run in self.runs)

    def note(self, job: Job) -> None:
        """Note in the run directories which job does these runs, for later commands."""
        note = json.dumps({"job": job.name, "folder": str(job.folder.path.resolve())})
        for run in self.runs:
            write_text(RunDirectory(run.run_dir).job, note + "\n")

    @property
    def job(self) -> Job | None:
        """The one job that an earlier command submitted for all these runs, ended or not."""
        jobs = {_noted(RunDirectory(run.run_dir)) for run in self.runs}
        return jobs.pop() if len(jobs) == 1 else None


def _settled(runs: Iterable[RunConfig]) -> list[Outcome] | None:
    """The outcomes of runs that have all ended completely; else None."""
    outcomes = [settled_outcome(run, RunDirectory(run.run_dir)) for run in runs]
    settled = [outcome for outcome in outcomes if outcome is not None]
    return settled if len(settled) == len(outcomes) else None


def _noted(directory: RunDirectory) -> Job | None:
    """The job in the note of a run directory."""
    try:
        note = json.loads(directory.job.read_text(encoding="utf-8"))
        return Job(note["job"], JobFolder(Path(note["folder"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def requests_of(overrides: Sequence[str], config: RunConfig) -> list[JobRequest]:
    """The jobs of one point: one for each of its seeds and learning rates.

    Args:
        overrides: Of the point.
        config: Its configuration; with ``runtime.replicas`` its runs share a program.

    Raises:
        InputError: If a record of its runs is damaged.
    """
    kept = tuple(word for word in overrides if not _is_about_launching(word))
    points = config.points
    if len(points) == 1 or config.runtime.replicas:
        return [JobRequest(kept, tuple(points), _settled(points) is not None)]
    return [
        JobRequest((*kept, *_overrides_of(point)), (point,), _settled([point]) is not None)
        for point in points
    ]


def _overrides_of(point: RunConfig) -> tuple[str, ...]:
    """The overrides that choose one run of several."""
    rate = point.optim.learning_rate
    return (f"seed={point.seed}", f"optim.learning_rate={rate}", "seeds=1", "learning_rates=[]")


def submit_requests(
    requests: Sequence[JobRequest], settings: LauncherConfig, sweep: Path, config_dirs: list[str]
) -> dict[JobRequest, Job]:
    """Submit what is not settled, and find the jobs of what is in the queue.

    Args:
        requests: All of the command.
        settings: Of the jobs.
        sweep: Folder for scripts and logs.
        config_dirs: Folders of configurations that the command line names.

    Raises:
        InputError: If Slurm refuses a job.
    """
    missing = {r.run_ids: r for r in reversed(requests) if not r.was_settled}
    if not missing:
        _announce(requests, 0, {}, 0)
        return {}
    require_time(settings.partition, settings.timeout_min)
    distinct = list(reversed(missing.values()))  # points may differ in keys that change no run
    for request in distinct:
        for run in request.runs:
            run.run_dir.mkdir(parents=True, exist_ok=True)
    # Two commands at once would submit the same runs.
    with FileLock(Path(distinct[0].runs[0].runs_dir) / "slurm.lock"):
        jobs = _in_the_queue(distinct)
        new = [request for request in distinct if request not in jobs]
        if new:
            folder = _new_folder(sweep)
            code = keep_snapshot(folder / "code") if settings.snapshot else None
            jobs |= _Arrays(settings, folder, code, config_dirs).submitted(new)
    _announce(requests, len(distinct), jobs, len(new))
    return {r: jobs[missing[r.run_ids]] for r in requests if r.run_ids in missing}


@dataclass(frozen=True, slots=True)
class _Arrays:
    """The arrays of a command: one for each kind of resources, and for as many jobs as it may have.

    Attributes:
        settings: Of the jobs.
        folder: Of the command, new.
        code: The copy of the code, if any.
        config_dirs: Folders of configurations.
    """

    settings: LauncherConfig
    folder: Path
    code: Path | None
    config_dirs: list[str]

    def submitted(self, requests: Sequence[JobRequest]) -> dict[JobRequest, Job]:
        """Submit all requests; the job of each."""
        by_resources: dict[Resources, list[JobRequest]] = defaultdict(list)
        for request in requests:
            by_resources[resources_of(request.runs[0])].append(request)
        size = most_jobs_of_an_array() * self.settings.runs_per_job
        groups = [
            (needed, alike[first : first + size])
            for needed, alike in by_resources.items()
            for first in range(0, len(alike), size)
        ]
        jobs: dict[JobRequest, Job] = {}
        for number, (needed, group) in enumerate(groups):
            _require_one_process(self.settings, needed)
            jobs |= self._submit(group, JobFolder(self.folder / f"array-{number}"), needed)
        return jobs

    def _submit(
        self, requests: Sequence[JobRequest], folder: JobFolder, needed: Resources
    ) -> dict[JobRequest, Job]:
        """Submit one array."""
        size = self.settings.runs_per_job
        groups = [requests[first : first + size] for first in range(0, len(requests), size)]
        flags = [word for folder in self.config_dirs for word in ("--config-dir", folder)]
        folder.write_work(
            Work(
                program=_program(),
                jobs=[[request.task(flags) for request in group] for group in groups],
                max_num_timeout=self.settings.max_num_timeout,
                warning_seconds=self.settings.warning_seconds,
            )
        )
        name = f"physlm-{requests[0].runs[0].experiment}"
        needed = needed._replace(n_tasks=max(needed.n_tasks, min(size, len(requests))))
        text = script_text(folder, self.settings, needed, name, len(groups), self.code)
        folder.script.write_text(text, encoding="utf-8")
        array = submit(folder.script)
        jobs = {}
        for index, group in enumerate(groups):
            for request in group:
                jobs[request] = Job(f"{array}_{index}", folder)
                request.note(jobs[request])
        tell(f"job {array}: {_n_runs(len(requests))}; logs: {folder.path}")
        return jobs


def wait_for(jobs: Sequence[Job]) -> None:
    """Wait until no job is in the queue; the number of running and pending ones is shown.

    Raises:
        InterruptedRunError: If this process is asked to stop; the jobs go on.
    """
    try:
        with stop_requests(at_once=True), _shown() as show:
            began = time.monotonic()
            while left := _left(jobs):
                show(left)
                waited = time.monotonic() - began
                time.sleep(min(max(waited / 10, _FIRST_POLL_SECONDS), _POLL_SECONDS))
    except InterruptedRunError as error:
        arrays = " ".join(sorted({job.array for job in jobs}))
        raise InterruptedRunError(
            f"the jobs go on; the same command waits for them again, scancel {arrays} ends them"
        ) from error


def _left(jobs: Sequence[Job]) -> str:
    """The jobs in the queue by state, as text; empty if there is none."""
    found = queued(job.array for job in jobs)
    if found is None:
        return "Slurm does not answer; asking again"
    own = [found[name] for name in {job.name for job in jobs} if name in found]
    states = Counter(one.state.lower() for one in own)
    reasons = {one.reason for one in own if one.state == "PENDING"} - {"None"}
    text = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    return f"{text} ({', '.join(sorted(reasons))})" if reasons else text


@contextmanager
def _shown() -> Iterator[Callable[[str], None]]:
    """A function that shows one line: in place on a terminal, else when it has changed."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("waiting for jobs") as status:
            yield lambda line: status.update(f"jobs: {line}")
        return
    last = [("", 0.0)]

    def show(line: str) -> None:
        text, when = last[0]
        if line != text and time.monotonic() - when > _LINE_SECONDS:
            tell(f"jobs: {line}")
            last[0] = line, time.monotonic()

    yield show


def _in_the_queue(requests: Sequence[JobRequest]) -> dict[JobRequest, Job]:
    """The jobs that earlier commands submitted for these requests and that have not ended."""
    noted = {request: job for request in requests if (job := request.job) is not None}
    found = queued(job.array for job in noted.values())
    if found is None:
        raise InputError("launcher=slurm: Slurm does not answer; try again later")
    return {request: job for request, job in noted.items() if job.name in found}


def _announce(
    requests: Sequence[JobRequest], n_missing: int, jobs: Mapping[JobRequest, Job], n_submitted: int
) -> None:
    """How many runs were finished before, or are in the queue already."""
    n_all = len({request.run_ids for request in requests})
    if n_settled := n_all - n_missing:
        tell(f"{n_settled} of {_n_runs(n_all)} finished before; force=true repeats them")
    if n_queued := len(jobs) - n_submitted:
        arrays = ", ".join(sorted({job.array for job in jobs.values()}))
        tell(
            f"{_n_runs(n_queued)} in the queue already (job {arrays}), with the settings of that "
            f"command; scancel {arrays} first to change them"
        )


def _require_one_process(settings: LauncherConfig, needed: Resources) -> None:
    if settings.runs_per_job > 1 and needed.n_nodes * needed.n_tasks > 1:
        raise InputError(
            f"launcher.runs_per_job={settings.runs_per_job} with runs of several processes; use "
            "launcher.runs_per_job=1, or runtime.n_devices=1 and runtime.n_nodes=1"
        )


def _n_runs(n: int) -> str:
    return "1 run" if n == 1 else f"{n} runs"


def _new_folder(sweep: Path) -> Path:
    """A folder that no other command uses; two may have begun in the same second."""
    number = 0
    while True:
        folder = sweep / ("slurm" if number == 0 else f"slurm-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def _program() -> list[str]:
    """Python's arguments for this program: a module, or a user's script that adds to physlm."""
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        return [str(Path(sys.argv[0]).resolve())]
    return ["-m", spec.name.removesuffix(".__main__")]


def _is_about_launching(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return key in {"launcher", "hydra/launcher"} or key.startswith(("launcher.", "hydra.mode"))
