"""Run directories: the only code that writes into them, always atomically."""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from filelock import FileLock, Timeout

from physlm.atomic import remove_leftovers, write_text
from physlm.errors import InputError, RunInUseError, refused_values
from physlm.record import RunRecord, read_record
from physlm.science import SCIENCE, flatten
from physlm.sources import keep_copies, sha256
from physlm.watching import tell

_POLL_SECONDS = 1.0  # between looks at the locks of other processes


class RunDirectory:
    """One run's files: ``record.json`` means that training has ended, and says what was measured.

    Attributes:
        path: The directory.
        record: The record of the trained run.
        checkpoint: The last good state of an unfinished run.
        model: The trained weights, as safetensors.
        metrics: Curves, one JSON object per line.
        arrays: Arrays measured by scorers, as NumPy's ``npz``. Their tables are ``NAME.parquet``.
        answers: Answers of a model that is asked in text, as JSON lines, while they come.
        config: The full configuration, as YAML.
        job: The Slurm job that was submitted for this run, if any.
        sources: Copies of the input files that affect the result.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "record.json"
        self.checkpoint = path / "last.ckpt"
        self.model = path / "model.safetensors"
        self.metrics = path / "metrics.jsonl"
        self.arrays = path / "arrays.npz"
        self.answers = path / "answers.jsonl"
        self.config = path / "config.yaml"
        self.job = path / "slurm.json"
        self.sources = path / "sources"

    @contextmanager
    def locked(self, *, waits: bool = False) -> Iterator[None]:
        """Keep other processes out; the lock is released when the process ends, however it ends.

        Args:
            waits: Whether to wait, with a message, for another process that works on this run.

        Raises:
            InputError: If the directory cannot be made or written.
            RunInUseError: If another process is working on this run, and ``waits`` is false.
        """
        lock = FileLock(self.path / "lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            if not waits:
                raise RunInUseError(self.path) from None
            tell(f"{self.path} is in use by another process; waiting for it")
            lock.acquire()
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written ({error.strerror or error}); choose another folder "
                "by runs_dir, or make this one writable"
            ) from error
        try:
            remove_leftovers(self.path)
            yield
        finally:
            lock.release()

    def is_in_use(self) -> bool:
        """Whether another process is working on this run."""
        if not self.path.is_dir():
            return False
        try:
            with FileLock(self.path / "lock", timeout=0):
                return False
        except Timeout:
            return True

    def figure(self, name: str) -> Path:
        """Where a figure is, or would be."""
        return self.path / f"{name}.png"

    def table(self, name: str) -> Path:
        """Where a scorer's table is, or would be."""
        return self.path / f"{name}.parquet"

    def forget_figures(self) -> None:
        """Remove outdated figures."""
        for path in self.path.glob("*.png"):
            path.unlink()

    def keep(self, name: str, write: Callable[[Path], None]) -> dict[str, str]:
        """Keep a file or folder of a scorer in place of an earlier one; hashes by relative path.

        Args:
            name: Its name in the directory.
            write: Writes it to a path.
        """
        path = self.path / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        write(path)
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        return {
            file.relative_to(self.path).as_posix(): sha256(file) for file in found if file.is_file()
        }

    def forget(self, names: Iterable[str]) -> None:
        """Remove kept files, by relative path, and the folders that are empty without them."""
        for name in names:
            path = self.path / name
            path.unlink(missing_ok=True)
            if path.parent != self.path and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def begin(self, config: Any, *, first_step: int) -> None:
        """Write the configuration, and copy the pinned files that it names.

        The run can then be resumed even if these files move. A run that starts at step 0 first
        removes the results of an earlier run of the same point.

        Args:
            config: The configuration of the run, whose fields name the files.
            first_step: Step from which training resumes.

        Raises:
            InputError: If one of them has changed since it was pinned.
        """
        if first_step == 0 and self.record.exists():
            self.forget(self._kept())
            tables = self.path.glob("*.parquet")
            files = (self.record, self.checkpoint, self.model, self.metrics, self.arrays)
            for path in (*files, self.answers, *tables):
                path.unlink(missing_ok=True)
            self.forget_figures()
        with refused_values():
            keep_copies(config, self.sources)
        write_text(self.config, yaml.safe_dump(config.described(), sort_keys=False))

    def _kept(self) -> Iterable[str]:
        """The files that the record vouches for; none if it cannot be read, and is replaced."""
        try:
            return read_record(self.record).sha256
        except InputError:
            return ()

    def write_record(self, record: RunRecord) -> None:
        """Write the record with its checksum, and remove the checkpoint, no longer needed."""
        write_text(self.record, record.as_json())
        if record.status != "diverged":
            self.checkpoint.unlink(missing_ok=True)
        if record.status != "trained":
            self.job.unlink(missing_ok=True)

    def read_record(
        self, run_id: str | None = None, config: Mapping[str, Any] | None = None
    ) -> RunRecord | None:
        """The record; None if training has not ended.

        Args:
            run_id: Of the run whose directory this is; None reads whatever is there.
            config: That run's configuration, in plain values; None takes any.

        Raises:
            InputError: If the file is not a record, or belongs to another run.
        """
        if not self.record.exists():
            return None
        record = read_record(self.record)
        if run_id is not None and record.run_id != run_id:
            raise InputError(
                f"{self.record} is of another run ({record.run_id}, here {run_id}); delete it to "
                "run this point, or put back the file that was here"
            )
        if config and (lacking := [name for name in SCIENCE if name not in record.config]):
            raise InputError(
                f"{self.record} does not say its {lacking[0]}; delete it to run this point again"
            )
        theirs, ours = flatten(record.config), flatten(config or {})
        for name, value in ours.items():
            if name.split(".")[0] in SCIENCE and name in theirs and theirs[name] != value:
                raise InputError(
                    f"{self.record} says {name}={theirs[name]}, but run {run_id} has {value}; "
                    "delete it to run this point again"
                )
        return record

    def vouched(self, path: Path, record: RunRecord) -> Path:
        """A saved file, verified by its hash in the record, if it has one.

        Raises:
            InputError: If it is missing or has changed.
        """
        if not path.is_file():
            raise InputError(f"{path} is missing; put it back, or run again with force=true")
        expected = record.sha256.get(path.name)
        if expected is not None and sha256(path) != expected:
            raise InputError(
                f"{path} has changed since {self.record} was written (its sha256 is not "
                f"{expected[:12]}...); put it back, or run again with force=true"
            )
        return path


def first_free(paths: Iterable[Path]) -> set[Path]:
    """The free ones of some run directories; waits, with a message, until one is free."""
    every = sorted(set(paths))
    is_announced = False
    while not (free := {path for path in every if not RunDirectory(path).is_in_use()}):
        if not is_announced:
            tell(f"{', '.join(map(str, every))} in use by other processes; waiting for one of them")
        is_announced = True
        time.sleep(_POLL_SECONDS)
    return free


def read_curves(path: Path) -> list[dict[str, float]]:
    """The rows of a ``metrics.jsonl``; a last line cut short by a crash is left out.

    Raises:
        InputError: If any other line is not a row of numbers.
    """
    lines = path.read_bytes().splitlines()
    rows = _all_rows(lines)
    if rows is not None:
        return rows
    rows = []
    for number, line in enumerate(lines, start=1):
        row = _row(line)
        if row is not None:
            rows.append({"step": row.pop("step"), **row})
        elif number < len(lines):
            raise InputError(f"{path} line {number} is corrupt; delete that line")
    return rows


def _row(line: bytes) -> dict[str, float] | None:
    """The row of one line, if it is sound."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # also bytes that are not UTF-8, and very long numbers
        return None
    return found if _is_row(found) else None


def _is_row(found: object) -> bool:
    """Whether a value is a row: numbers by name, with the step among them."""
    if type(found) is not dict or type(found.get("step")) is not int:
        return False
    return all(type(value) is float or type(value) is int for value in found.values())


def _all_rows(lines: Sequence[bytes]) -> list[dict[str, float]] | None:
    """The rows of lines that are all sound, in half the time of line by line; None of others."""
    try:
        rows = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return None
    return rows if len(rows) == len(lines) and all(map(_is_row, rows)) else None


LOSS = "train/loss_nats"


class CurvePoint(NamedTuple):
    """One value of a learning curve.

    Attributes:
        metric: Text of the metric; `LOSS` is the training loss.
        step: Optimizer steps so far.
        tokens: Tokens read so far.
        exposures: Presentations of each piece of knowledge so far; None where that was not logged.
        value: The value.
    """

    metric: str
    step: int
    tokens: float
    exposures: float | None
    value: float


def curve_points(rows: Iterable[Mapping[str, float]]) -> Iterator[CurvePoint]:
    """The training loss, and the metrics that scorers measured during training.

    Args:
        rows: Of `read_curves`; those of final metrics are no part of a curve.
    """
    for row in rows:
        for kind in ("train/", "curve/"):
            if f"{kind}tokens" not in row:
                continue
            times = int(row["step"]), row[f"{kind}tokens"], row.get(f"{kind}exposures")
            for name, value in row.items():
                if name == LOSS:
                    yield CurvePoint(name, *times, value)
                elif name.startswith("curve/") and name not in {"curve/tokens", "curve/exposures"}:
                    yield CurvePoint(name.removeprefix("curve/"), *times, value)
