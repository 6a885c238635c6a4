"""Atomic writes: a reader sees a complete file or folder, or none."""

import errno
import glob
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEFTOVER = re.compile(r"\..+\.\d+\.tmp")


def write_text(path: Path, text: str) -> None:
    """Replace a file's content."""
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
        temporary.chmod(0o644)  # some libraries make files that only their owner can read
        temporary.replace(path)
    except OSError as error:  # that of a full disk does not name the file
        number, why = error.errno or errno.EIO, error.strerror or str(error)
        raise OSError(number, f"{path} could not be written: {why}") from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of killed processes below a folder.

    Args:
        folder: No other process may be writing there.
    """
    for path in folder.rglob(".*.tmp"):
        if _LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``folder``, new or empty, once the block has succeeded.

    What killed processes of this machine left of the same folder is removed.
    """
    name = f".{folder.name}.{platform.node()}."
    for left in folder.parent.glob(f"{glob.escape(name)}*.incomplete"):
        if not _is_alive(left.name.removeprefix(name).removesuffix(".incomplete")):
            shutil.rmtree(left, ignore_errors=True)
    temporary = folder.with_name(f"{name}{os.getpid()}.incomplete")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_alive(number: str) -> bool:
    """Whether a process of this machine has a number."""
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):  # another user's, or no number at all
        return True
    return True
