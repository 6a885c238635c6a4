"""Run directories: the only code that reads and writes them, always atomically."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from physlm.errors import DivergedError, InputError, UnmeasuredError
from physlm.measurement import Metric, by_text
from physlm.sources import copy_of, located, sha256
from physlm.watching import tell

SCHEMA_VERSION = 2

# What of a configuration decides a result, and hence names the run; the rest only says how it is
# carried out.
SCIENCE = ("seed", "data", "model", "optim", "trainer", "eval")


class Origin(NamedTuple):
    """Which run a file is of; weights and checkpoints carry it.

    Attributes:
        run_id: Of the run.
        corpus: Fingerprint of what it is trained on.
    """

    run_id: str
    corpus: str

    def require(self, found: Mapping[str, str], path: Path) -> None:
        """A file says that it is of this run; one of an earlier version says nothing.

        Raises:
            InputError: If it is of another one.
        """
        for name, value in self._asdict().items():
            if found.get(name, value) != value:
                raise InputError(
                    f"{path} is of another run ({name} {found[name]}, here {value}); delete it, or "
                    "put back the file that was here"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything known of a run that is trained.

    Attributes:
        status: ``finished``, ``diverged``, or ``trained`` where not everything is measured yet.
        corpus: Fingerprint and entropy in bits.
        parameters: Parameter counts by role, their ``total``, and of a mixture of experts those
            ``active`` for one token.
        exposures: Presentations of each piece of knowledge, counted by the loader.
        is_compiled: Whether training ran as compiled programs; None where that was not recorded.
        waiting_share: Share of the time in which training waited for data; None likewise.
        n_replicas: Runs trained together in one program; seconds are this one's share of its time.
        stopped_at_step: Where the loss stopped being finite, if it did.
        published: The numbers in the paper, by the texts of metrics.
        published_of: What the paper measured these on.
        changed: Keys whose values are not those of the experiment of that name, with both values as
            text; None where there is no such experiment, or that was not recorded.
        scorers: The version of each scorer that has measured.
        arrays: Digest of the arrays of each scorer that has some, in ``arrays.npz``.
        errors: Why a scorer could not measure, by scorer.
        scoring_software: Where the run was measured again, what with; else empty.
        sha256: Hashes of kept files by name; what is not named, nothing vouches for.
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
    scorers: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    scoring_software: dict[str, Any] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def origin(self) -> Origin:
        """What the files of this run say that they are of."""
        return Origin(self.run_id, self.corpus["fingerprint"])

    def raise_unless_finished(self) -> None:
        """Say what the run did not come to.

        Raises:
            DivergedError: If its loss stopped being a number.
            UnmeasuredError: If a scorer failed.
        """
        if self.stopped_at_step is not None:
            rate = self.config["optim"]["learning_rate"]
            clip = self.config["trainer"]["gradient_clip"]
            other = f"trainer.gradient_clip={clip}" if clip else "set trainer.gradient_clip=1.0"
            raise DivergedError(
                self.stopped_at_step, f"lower optim.learning_rate={rate:g} or {other}"
            )
        if self.status != "finished":
            told = "; ".join(f"eval.{name}: {reason}" for name, reason in self.errors.items())
            raise UnmeasuredError(
                f"{told or 'nothing yet'}; the trained model is kept, the same command measures "
                "what is missing"
            )

    def metric(self, text: str) -> Metric:
        """The metric of that text, such as ``qa/chance{split=in_distribution}``.

        Raises:
            KeyError: If the run did not measure it.
        """
        return by_text(self.metrics)[text]


class RunDirectory:
    """One run's files: ``record.json`` means that training is over, and says what was measured.

    Attributes:
        path: The directory.
        record: What is known of the trained run.
        checkpoint: The last good state of an unfinished run.
        model: The trained weights, as safetensors.
        metrics: Curves, one JSON object per line.
        arrays: What scorers measured beside numbers, as NumPy's ``npz``.
        config: The full configuration, as YAML.
        sources: Copies of the files that decide the result.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "record.json"
        self.checkpoint = path / "last.ckpt"
        self.model = path / "model.safetensors"
        self.metrics = path / "metrics.jsonl"
        self.arrays = path / "arrays.npz"
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

    def figure(self, name: str) -> Path:
        """Where a figure is, or would be."""
        return self.path / f"{name}.png"

    def forget_figures(self) -> None:
        """Remove figures that show what is no longer so."""
        for path in self.path.glob("*.png"):
            path.unlink()

    def clear(self) -> None:
        """Forget an earlier run of the same point."""
        for path in (self.record, self.checkpoint, self.model, self.metrics, self.arrays):
            path.unlink(missing_ok=True)
        self.forget_figures()

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
        """Write the record, sealed, and drop the checkpoint that it makes needless."""
        content = asdict(record)
        content["seal"] = _seal(content)
        write_text(self.record, json.dumps(content, indent=2, sort_keys=True) + "\n")
        if record.status != "diverged":
            self.checkpoint.unlink(missing_ok=True)

    def read_record(self, run_id: str | None = None) -> RunRecord | None:
        """The record, or None where training is not over.

        Args:
            run_id: Of the run whose directory this is; None reads whatever is there.

        Raises:
            InputError: If the file is there but is no record, or that of another run.
        """
        if not self.record.exists():
            return None
        record = read_record(self.record)
        if run_id is not None and record.run_id != run_id:
            raise InputError(
                f"{self.record} is of another run ({record.run_id}, here {run_id}); delete it to "
                "run this point, or put back the file that was here"
            )
        return record

    def vouched(self, path: Path, record: RunRecord) -> Path:
        """A kept file, which is as it was when it was kept, if the record has its hash.

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


def read_record(path: Path) -> RunRecord:
    """Read one ``record.json``.

    Raises:
        InputError: If the file is truncated, corrupt, changed or of another schema version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
        if version == SCHEMA_VERSION:
            return _parsed(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not a record ({type(error).__name__}: {error}); "
            "delete it to run this point again"
        ) from error
    raise InputError(
        f"{path} is of another version of physlm (schema_version={version}, here {SCHEMA_VERSION});"
        " run it again with force=true, or read it with the version that wrote it"
    )


def _parsed(content: dict[str, Any]) -> RunRecord:
    if content.pop("seal") != _seal(content):
        raise ValueError("a value was changed after it was written")
    if not isinstance(content["config"], dict):
        raise TypeError("config is no mapping")
    metrics = tuple(Metric(**metric) for metric in content.pop("metrics"))
    return RunRecord(**content, metrics=metrics)


def _seal(content: Mapping[str, Any]) -> str:
    """A hash of a record's values, however they are laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
    """A temporary file that takes the place of ``path`` once the block has succeeded.

    Raises:
        OSError: Naming the file, if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # some writers keep others out
        temporary.replace(path)
    except OSError as error:  # of a full disk it does not say which file
        number, told = error.errno or errno.EIO, error.strerror or str(error)
        raise OSError(number, f"{path} could not be written: {told}") from error
    finally:
        temporary.unlink(missing_ok=True)


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys as one types them on the command line."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
