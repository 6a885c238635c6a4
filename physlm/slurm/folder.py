"""The folder of a job array: what its jobs run, their logs, and how they ended.

Jobs and the command that submitted them share nothing else, so either may start and end without the
other. Only Python's own library is used: every job reads it before anything else.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Work(NamedTuple):
    """What the jobs of an array run.

    Attributes:
        program: Python's arguments for the program, such as ``["-m", "physlm.run"]``.
        jobs: For each job the arguments of each of its runs.
        max_num_timeout: Times that a job out of time is queued again.
        warning_seconds: Seconds before the end of a job at which its runs are asked to stop.
    """

    program: list[str]
    jobs: list[list[list[str]]]
    max_num_timeout: int
    warning_seconds: int


class JobFolder:
    """The files of one job array.

    Attributes:
        path: The folder.
        script: The batch script, which can be submitted again by hand.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.script = path / "job.sh"
        self._work = path / "work.json"

    def write_work(self, work: Work) -> None:
        """Keep what the jobs run."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._work.write_text(json.dumps(work._asdict(), indent=1) + "\n", encoding="utf-8")

    def work(self) -> Work:
        """What the jobs run."""
        return Work(**json.loads(self._work.read_text(encoding="utf-8")))

    @property
    def log_pattern(self) -> Path:
        """The logs, in Slurm's notation; a job that is queued again appends to its log."""
        return self.path / "%a.log"

    def log(self, index: int) -> Path:
        """The output of one job."""
        return self.path / f"{index}.log"

    def status(self, index: int) -> int | None:
        """The exit status of a job; None if it has not ended by itself."""
        try:
            return int(self._status(index).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write_status(self, index: int, status: int) -> None:
        """Keep the exit status of a job that has ended."""
        path = self._status(index)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(f"{status}\n", encoding="utf-8")
        temporary.replace(path)

    def count_timeout(self, index: int) -> int:
        """Note that a job ran out of time; how often it did."""
        with (self.path / f"{index}.timeouts").open("a", encoding="utf-8") as file:
            file.write(".\n")
        return sum(1 for _ in self._timeouts(index))

    def _timeouts(self, index: int) -> Iterator[str]:
        with (self.path / f"{index}.timeouts").open(encoding="utf-8") as file:
            yield from file

    def _status(self, index: int) -> Path:
        return self.path / f"{index}.status"


def array_index() -> int:
    """The index of this process's job in its array."""
    return int(os.environ["SLURM_ARRAY_TASK_ID"])
