"""What a path names: a trained run, or a checkpoint of `transformers`."""

from pathlib import Path
from typing import NamedTuple

from physlm.config.recorded import holds_a_record
from physlm.errors import InputError
from physlm.run_directory import RunDirectory


class Source(NamedTuple):
    """Where a model is.

    Attributes:
        path: A run directory, or the folder of a checkpoint.
        is_run: Whether it is a run directory.
    """

    path: Path
    is_run: bool


def source_of(path: Path) -> Source:
    """The run or checkpoint at a path; a run may be named by its record.

    Raises:
        InputError: If it is neither, or the run has no trained weights.
    """
    if path.name == "record.json":
        path = path.parent
    if holds_a_record(str(path)):
        _require_weights(RunDirectory(path))
        return Source(path, is_run=True)
    directory = RunDirectory(path)
    if directory.checkpoint.is_file() or directory.config.is_file():
        raise InputError(f"{path} is an unfinished run; give its command again to finish it")
    if (path / "config.json").is_file():
        return Source(path, is_run=False)
    if not path.exists():
        raise InputError(f"{path} does not exist; name a run directory or a checkpoint's folder")
    if inside := sorted(path.glob("*/record.json")):
        raise InputError(f"{path} holds {len(inside)} runs; name one, such as {inside[0].parent}")
    raise InputError(
        f"{path} has neither record.json nor config.json; name the directory of a finished run or "
        "the folder of a transformers checkpoint"
    )


def _require_weights(directory: RunDirectory) -> None:
    record = directory.read_record()
    assert record is not None
    if record.stopped_at_step is not None:
        raise InputError(
            f"{directory.path} diverged at step {record.stopped_at_step} and has no weights; "
            "choose another run"
        )
