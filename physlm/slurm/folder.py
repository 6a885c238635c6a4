"""The folder of a job array: what its jobs run, their logs, and their exit statuses.

Jobs and the command that submitted them share nothing else, so either may start and end without the
other. Nothing that takes time to load is used: every job reads it before anything else.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

from physlm.atomic import write_text


class Task(NamedTuple):
    """A command that does one run, or several as replicas.

    Attributes:
        arguments: Of the program.
        run_dirs: Directories of the runs.
    """

    arguments: list[str]
    run_dirs: list[str]

    def resumed(self, submitted_at: float) -> list[str]:
        """The arguments, without ``force`` once an earlier attempt of the job has saved something.

        Args:
            submitted_at: When the job was submitted.
        """
        files = [Path(d) / name for d in self.run_dirs for name in ("last.ckpt", "record.json")]
        if not any(file.exists() and file.stat().st_mtime > submitted_at for file in files):
            return self.arguments
        return [word for word in self.arguments if not word.startswith("force=")]


class Work(NamedTuple):
    """What the jobs of an array run.

    Attributes:
        program: Python's arguments for the program, such as ``["-m", "physlm.run"]``.
        jobs: The tasks of each job.
        max_num_timeout: Times that a job out of time is requeued.
        warning_seconds: Seconds before the end of a job at which its runs are asked to stop.
    """

    program: list[str]
    jobs: list[list[Task]]
    max_num_timeout: int
    warning_seconds: int


class JobFolder:
    """The files of one job array.

    Attributes:
        path: The folder.
        script: The batch script.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.script = path / "job.sh"
        self._work = path / "work.json"

    def write_work(self, work: Work) -> None:
        """Keep what the jobs run."""
        self.path.mkdir(parents=True)
        jobs = [[task._asdict() for task in job] for job in work.jobs]
        content = {**work._asdict(), "jobs": jobs}
        write_text(self._work, json.dumps(content, indent=1) + "\n")

    def work(self) -> Work:
        """What the jobs run."""
        content = json.loads(self._work.read_text(encoding="utf-8"))
        jobs = [[Task(**task) for task in job] for job in content.pop("jobs")]
        return Work(**content, jobs=jobs)

    @property
    def submitted_at(self) -> float:
        """When the jobs were submitted, in seconds of the clock of the file system."""
        return self._work.stat().st_mtime

    def log(self, index: int | str) -> Path:
        """The output of one job, by its index or Slurm's ``%a``; a requeued job appends to it."""
        return self.path / f"{index}.log"

    def status(self, index: int) -> int | None:
        """The exit status of a job; None if it has not ended by itself."""
        try:
            return int(self._status(index).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write_status(self, index: int, status: int) -> None:
        """Keep the exit status of a job that has ended."""
        write_text(self._status(index), f"{status}\n")

    def count_timeout(self, index: int) -> int:
        """Note that a job ran out of time; how often it did."""
        path = self.path / f"{index}.timeouts"
        with path.open("a", encoding="utf-8") as file:
            file.write(".\n")
        return len(path.read_text(encoding="utf-8").splitlines())

    def _status(self, index: int) -> Path:
        return self.path / f"{index}.status"


def array_index() -> int:
    """The index of this process's job in its array."""
    return int(os.environ["SLURM_ARRAY_TASK_ID"])
