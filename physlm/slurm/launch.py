"""Runs of a command as jobs of Slurm: submit those that are not finished, and wait for them."""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from physlm.config import RunConfig
from physlm.errors import InputError, InterruptedRunError
from physlm.launcher import LauncherConfig
from physlm.outcome import settled_outcome
from physlm.run_directory import RunDirectory
from physlm.slurm.folder import JobFolder, Work
from physlm.slurm.queue import fate, most_jobs_of_an_array, queued, require_time, submit
from physlm.slurm.script import Resources, resources_of, script_text
from physlm.slurm.snapshot import keep_snapshot
from physlm.watching import tell

_FIRST_POLL_SECONDS, _POLL_SECONDS = 1.0, 15.0
_LINE_SECONDS = 300.0  # between lines about the queue, where there is no terminal


@dataclass(frozen=True, slots=True)
class Job:
    """A job that does some runs.

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

    def reason(self) -> str:
        """Why its run has no result: the last line of its log, or Slurm's word."""
        status = self.folder.status(self.index)
        log = self.folder.log(self.index)
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        lines = [line for line in text.splitlines() if line.strip()]
        own = [line for line in lines if not line.startswith(("srun: ", "slurmstepd"))]
        last = own[-1] if own else ""
        if status is None:
            last = f"job {self.name} ended as {fate(self.name) or 'unknown'}"
        return f"{last or f'exit status {status}'} (log: {log})"


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """One run to be done, or several as replicas in one program.

    Attributes:
        words: The overrides that describe them.
        runs: The runs.
    """

    words: tuple[str, ...]
    runs: tuple[RunConfig, ...]

    @property
    def arguments(self) -> list[str]:
        """Of the command that does them in a job."""
        return ["--run", *self.words, "hydra.mode=RUN", "launcher=serial"]

    @property
    def once(self) -> "Order":
        """The same without repetition, for a look at what a job has done."""
        runs = (replace(run, force=False, rescore=False) for run in self.runs)
        return replace(self, runs=tuple(runs))

    @property
    def is_settled(self) -> bool:
        """Whether all its runs have ended, and nothing is left to measure or to draw."""
        return all(settled_outcome(one, RunDirectory(one.run_dir)) is not None for one in self.runs)

    def note(self, job: Job) -> None:
        """Note in the run directories which job does these runs, for a later command."""
        note = json.dumps({"job": job.name, "folder": str(job.folder.path.resolve())})
        for run in self.runs:
            run.run_dir.mkdir(parents=True, exist_ok=True)
            RunDirectory(run.run_dir).job.write_text(note + "\n", encoding="utf-8")

    @property
    def job(self) -> Job | None:
        """The job that an earlier command submitted for these runs, ended or not."""
        try:
            note = json.loads(RunDirectory(self.runs[0].run_dir).job.read_text(encoding="utf-8"))
            return Job(note["job"], JobFolder(Path(note["folder"])))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def orders_of(words: Sequence[str], config: RunConfig) -> list[Order]:
    """The orders of one point: a job for each of its seeds and learning rates.

    Args:
        words: The overrides of the point.
        config: Its configuration; with ``runtime.replicas`` its runs share a program.
    """
    own = tuple(word for word in words if not _is_about_launching(word))
    points = config.points
    if len(points) == 1 or config.runtime.replicas:
        return [Order(own, tuple(points))]
    return [Order((*own, *_words_of(point)), (point,)) for point in points]


def _words_of(point: RunConfig) -> tuple[str, ...]:
    """The overrides that make a run of several one."""
    rate = point.optim.learning_rate
    return (f"seed={point.seed}", f"optim.learning_rate={rate}", "seeds=1", "learning_rates=[]")


def submit_orders(
    orders: Sequence[Order], settings: LauncherConfig, folder: Path
) -> dict[Order, Job]:
    """Submit the orders that are not settled, and find the jobs of those that are in the queue.

    Args:
        orders: All of the command.
        settings: Of the jobs.
        folder: For scripts and logs.

    Raises:
        InputError: If Slurm refuses a job.
    """
    require_time(settings.partition, settings.timeout_min)
    missing = [order for order in orders if not order.is_settled]
    jobs = _in_the_queue(missing)
    submitted = [order for order in missing if order not in jobs]
    code = folder / "code"
    has_code = bool(submitted) and settings.snapshot and keep_snapshot(code)
    by_needs: dict[Resources, list[Order]] = defaultdict(list)
    for order in submitted:
        by_needs[resources_of(order.runs[0])].append(order)
    for needed, alike in by_needs.items():
        _require_one_task(settings, needed)
        size = most_jobs_of_an_array() * settings.runs_per_job
        for first in range(0, len(alike), size):
            own = JobFolder(folder / f"array-{len([*folder.glob('array-*')])}")
            some = alike[first : first + size]
            jobs |= _submit_array(some, settings, own, needed, code if has_code else None)
    _announce(orders, jobs, len(submitted))
    return jobs


def _submit_array(
    orders: Sequence[Order],
    settings: LauncherConfig,
    folder: JobFolder,
    needed: Resources,
    code: Path | None,
) -> dict[Order, Job]:
    size = settings.runs_per_job
    groups = [orders[first : first + size] for first in range(0, len(orders), size)]
    folder.write_work(
        Work(
            program=_program(),
            jobs=[[order.arguments for order in group] for group in groups],
            max_num_timeout=settings.max_num_timeout,
            warning_seconds=settings.warning_seconds,
        )
    )
    name = f"physlm-{orders[0].runs[0].experiment}"
    text = script_text(folder, settings, needed, name, len(groups), code)
    folder.script.write_text(text, encoding="utf-8")
    array = submit(folder.script)
    jobs = {}
    for index, group in enumerate(groups):
        for order in group:
            jobs[order] = Job(f"{array}_{index}", folder)
            order.note(jobs[order])
    tell(f"job {array}: {len(orders)} runs; logs: {folder.path}")
    return jobs


def wait_for(jobs: Sequence[Job]) -> None:
    """Wait until no job is in the queue; the number of running and pending ones is shown.

    Raises:
        InterruptedRunError: If this process is asked to stop; the jobs go on.
    """
    try:
        with _shown() as show:
            began = time.monotonic()
            while left := _left(jobs):
                show(left)
                waited = time.monotonic() - began
                time.sleep(min(max(waited / 10, _FIRST_POLL_SECONDS), _POLL_SECONDS))
    except KeyboardInterrupt as error:
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
    reasons = Counter(one.reason for one in own if one.state == "PENDING")
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
        if line != text and time.monotonic() - when > (_LINE_SECONDS if text else 0):
            tell(f"jobs: {line}")
            last[0] = line, time.monotonic()

    yield show


def _in_the_queue(orders: Sequence[Order]) -> dict[Order, Job]:
    """The jobs that earlier commands submitted for these orders and that have not ended."""
    noted = {order: job for order in orders if (job := order.job) is not None}
    found = queued(job.array for job in noted.values())
    if found is None:
        raise InputError("launcher=slurm: Slurm does not answer; try again later")
    return {order: job for order, job in noted.items() if job.name in found}


def _announce(orders: Sequence[Order], jobs: Mapping[Order, Job], n_submitted: int) -> None:
    """How many runs were finished before, or wait in the queue already."""
    if n_settled := len(orders) - len(jobs):
        tell(f"{n_settled} of {len(orders)} runs are finished; force=true repeats them")
    if n_queued := len(jobs) - n_submitted:
        arrays = sorted({job.array for job in jobs.values()})
        tell(f"{n_queued} runs are in the queue already: job {', '.join(arrays)}")


def _require_one_task(settings: LauncherConfig, needed: Resources) -> None:
    if settings.runs_per_job > 1 and needed.n_nodes * needed.n_tasks > 1:
        raise InputError(
            f"launcher.runs_per_job={settings.runs_per_job} with runs of several processes; use "
            "launcher.runs_per_job=1, or runtime.n_devices=1 and runtime.n_nodes=1"
        )


def _program() -> list[str]:
    """Python's arguments for this program: a module, or a user's script that adds to physlm."""
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        return [str(Path(sys.argv[0]).resolve())]
    return ["-m", spec.name.removesuffix(".__main__")]


def _is_about_launching(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return key in {"launcher", "hydra/launcher"} or key.startswith(("launcher.", "hydra.mode"))
