"""Run directories: the only code that reads and writes them, always atomically."""

import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from physlm.errors import InputError
from physlm.sources import copy_of, located
from physlm.watching import tell

SCHEMA_VERSION = 1

# What of a configuration decides a result, and hence names the run; the rest only says how it is
# carried out.
SCIENCE = ("seed", "data", "model", "optim", "trainer", "eval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured number.

    Attributes:
        name: As in ``capacity/bits_per_parameter``.
        value: The measurement; a number, never NaN.
        unit: What it counts.
        n: How many things it was measured on.
        stderr: Standard error of the mean over these, where it is a mean.
        split: Which part of the world it was measured on.
    """

    name: str
    value: float
    unit: str
    n: int
    stderr: float | None = None
    split: str = "train"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.name}={self.value}; what could not be measured is left out")


def by_name(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Metrics by name; by ``name@split`` where one was measured on several splits."""
    metrics = list(metrics)
    times = Counter(metric.name for metric in metrics)
    return {m.name if times[m.name] == 1 else f"{m.name}@{m.split}": m for m in metrics}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything known of a finished run.

    Attributes:
        status: ``finished`` or ``diverged``.
        corpus: Fingerprint and entropy in bits.
        parameters: Parameter counts by role, their ``total``, and of a mixture of experts those
            ``active`` for one token.
        exposures: Presentations of each piece of knowledge, counted by the loader.
        is_compiled: Whether training ran as compiled programs; None where that was not recorded.
        waiting_share: Share of the time in which training waited for data; None likewise.
        n_replicas: Runs trained together in one program; seconds are this one's share of its time.
        stopped_at_step: Where the loss stopped being finite, if it did.
        published: Metric name to the number in the paper.
        published_of: What the paper measured these on.
        changed: Keys whose values are not those of the experiment of that name, with both values as
            text; None where there is no such experiment, or that was not recorded.
    """

    run_id: str
    name: str
    status: str
    config: dict[str, Any]
    software: dict[str, Any]
    device: str
    corpus: dict[str, Any]
    parameters: dict[str, int]
    steps: int
    tokens: int
    exposures: float
    wall_seconds: float
    tokens_per_second: float
    metrics: tuple[Metric, ...]
    published: dict[str, float]
    is_compiled: bool | None = None
    waiting_share: float | None = None
    n_replicas: int = 1
    stopped_at_step: int | None = None
    published_of: str = ""
    changed: dict[str, str] | None = None
    schema_version: int = SCHEMA_VERSION

    def metric(self, name: str) -> Metric:
        """The metric of that name, or ``name@split`` if it was measured on several splits.

        Raises:
            KeyError: If the run did not measure it.
        """
        return by_name(self.metrics)[name]


class RunDirectory:
    """One run's files: ``record.json`` is written last and means that the run is over.

    Attributes:
        path: The directory.
        record: What is known of the finished run.
        checkpoint: The last good state of an unfinished run.
        model: The trained weights, as safetensors.
        metrics: Curves, one JSON object per line.
        config: The full configuration, as YAML.
        sources: Copies of the files that decide the result.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "record.json"
        self.checkpoint = path / "last.ckpt"
        self.model = path / "model.safetensors"
        self.metrics = path / "metrics.jsonl"
        self.config = path / "config.yaml"
        self.sources = path / "sources"

    @contextmanager
    def locked(self, *, waits: bool = False) -> Iterator[None]:
        """Keep other processes out; the lock is gone as soon as its process is, however it ends.

        Args:
            waits: Whether to wait, with a word, for another process that works on this run.

        Raises:
            InputError: If another process is working on this run, unless one waits for it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not waits:
                raise InputError(
                    f"{self.path} is in use by another process; wait for it or stop it"
                ) from None
            tell(f"{self.path} is in use by another process; waiting for it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def clear(self) -> None:
        """Forget an earlier run of the same point."""
        for path in (self.record, self.checkpoint, self.model, self.metrics):
            path.unlink(missing_ok=True)

    def keep_sources(self, names: Iterable[str]) -> None:
        """Copy pinned files, so that the run can be started from wherever they are by then.

        Raises:
            ValueError: If one of them is no longer what it was when it was pinned.
        """
        for name in names:
            copy = copy_of(name, self.sources)
            if not copy.exists():
                with replacing(copy) as temporary:
                    shutil.copyfile(located(name), temporary)

    def write_record(self, record: RunRecord) -> None:
        """Write the record and drop the checkpoint that it makes needless."""
        write_text(self.record, json.dumps(asdict(record), indent=2, sort_keys=True) + "\n")
        if record.status == "finished":
            self.checkpoint.unlink(missing_ok=True)

    def read_record(self) -> RunRecord | None:
        """The record, or None where the run is not over.

        Raises:
            InputError: If the file is there but is no record.
        """
        return read_record(self.record) if self.record.exists() else None


def read_record(path: Path) -> RunRecord:
    """Read one ``record.json``.

    Raises:
        InputError: If the file is truncated, corrupt or of another schema version.
    """
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not a record ({type(error).__name__}: {error}); "
            "delete it to run this point again"
        ) from error


def _parsed(content: dict[str, Any]) -> RunRecord:
    if content["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema_version={content['schema_version']}, not {SCHEMA_VERSION}")
    if not isinstance(content["config"], dict):
        raise TypeError("config is no mapping")
    metrics = tuple(Metric(**metric) for metric in content.pop("metrics"))
    return RunRecord(**content, metrics=metrics)


def read_curves(path: Path) -> list[dict[str, float]]:
    """The rows of a ``metrics.jsonl``; a last line cut short by a crash is left out.

    Raises:
        InputError: If any other line is not a row.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append({"step": row.pop("step"), **row})
        except (json.JSONDecodeError, KeyError, AttributeError) as error:
            if number == len(lines):
                break
            raise InputError(f"{path} line {number} is corrupt; delete the file") from error
    return rows


def write_text(path: Path, text: str) -> None:
    """Replace a file's content in one step, so that a reader sees the old or the new, whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file that takes the place of ``path`` once the block has succeeded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # some writers keep others out
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys as one types them on the command line."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
