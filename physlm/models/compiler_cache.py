"""The compiler's cache on disk, without the libraries that a killed linker left unfinished.

The compiler takes every library that it finds there, and fails at an unfinished one in each run,
or is ended by the system when it reads what is missing.
"""

import os
import struct
from pathlib import Path

from filelock import FileLock, Timeout

_LITTLE_64 = b"\x7fELF\x02\x01"  # of the systems whose libraries are checked
_HEADER = struct.Struct("<40x Q 10x H H 2x")  # place of the section table, size and number of rows


def remove_unfinished() -> None:
    """Remove libraries that nobody works on and that are not whole; they are compiled again."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    folder = Path(cache_dir())
    for path in folder.glob("*/*.so"):
        if not _is_whole(path):
            _remove(path, folder / "locks")


def _remove(path: Path, locks: Path) -> None:
    """Remove a library, unless a process is about to finish it."""
    locks.mkdir(exist_ok=True)
    try:
        # The compiler's own lock: it holds it until the library is whole.
        with FileLock(locks / f"{path.name.split('.')[0]}.lock", timeout=0):
            if not _is_whole(path):
                path.unlink(missing_ok=True)
    except Timeout:
        return


def _is_whole(path: Path) -> bool:
    """Whether a library has its section table, which linkers write last, at the end of the file.

    True for other kinds of libraries, which are not known here.
    """
    try:
        with path.open("rb", buffering=0) as file:
            header, size = file.read(_HEADER.size), os.fstat(file.fileno()).st_size
    except FileNotFoundError:  # another process has just removed it
        return True
    if len(header) < _HEADER.size or not any(header):
        return False
    if not header.startswith(_LITTLE_64):
        return True
    start, row_size, n_rows = _HEADER.unpack(header)
    return bool(start) and size >= start + row_size * n_rows
