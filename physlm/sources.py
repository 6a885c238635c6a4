"""Files and folders that decide a result: named by where they are and by what they hold.

A field of a configuration that names one is ``field(default="", metadata=SOURCE)``, and holds
``/folder/file@digest`` once it is `pinned`. Where the file lies is no part of what names a run.
"""

import hashlib
import re
from functools import cache
from pathlib import Path

SOURCE = {"source": True}

_PINNED = re.compile(r"(?P<path>.*)@(?P<digest>[0-9a-f]{16})", re.DOTALL)
_CHUNK, _LARGE = 2**20, 2**26


def pinned(name: str) -> str:
    """A path made absolute, with the digest of what is there now behind it.

    What is pinned already, and what does not exist, stays as it is.
    """
    path = Path(name)
    if not path.exists():
        return name
    return f"{path.resolve()}@{digest(path)}"


def content_of(name: str) -> str:
    """What of a source names a run: its digest where it has one, else the name itself."""
    found = _PINNED.fullmatch(name)
    return name if found is None else f"@{found['digest']}"


def located(name: str) -> Path:
    """The path of a source, which holds what it did when it was pinned.

    Raises:
        ValueError: If nothing is there, or something else.
    """
    found = _PINNED.fullmatch(name)
    path = Path(name if found is None else found["path"])
    if not path.exists():
        raise ValueError(f"{path} does not exist; give the path of what is there")
    if found is not None and digest(path) != found["digest"]:
        raise ValueError(f"{path} has changed; restore it, or give its path anew")
    return path


def digest(path: Path) -> str:
    """16 hexadecimal digits of SHA-256 over a file, or over all files of a folder and their names.

    Hidden ones are left out: programs that copy folders keep notes of their own there.
    """
    if path.is_file():
        return _hash_of(path)[:16]
    inside = sorted(
        (file.relative_to(path).as_posix(), file)
        for file in path.rglob("*")
        if file.is_file() and not any(p.startswith(".") for p in file.relative_to(path).parts)
    )
    text = "".join(f"{name}\0{_hash_of(file)}\n" for name, file in inside)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hash_of(file: Path) -> str:
    """Large files, whose weights take seconds, are read once by a process."""
    found = file.stat()
    if found.st_size < _LARGE:  # such as can be written twice within a tick of the clock
        return _hashed(file)
    return _hashed_once(file, found.st_ino, found.st_mtime_ns, found.st_size)


def _hashed(file: Path) -> str:
    hashed = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()


@cache
def _hashed_once(file: Path, *version: int) -> str:  # noqa: ARG001 - what the hash is kept by
    return _hashed(file)
