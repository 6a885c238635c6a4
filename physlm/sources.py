"""Files and folders that decide a result: named by where they are and by what they hold.

A field of a configuration that names one is ``field(default="", metadata=SOURCE)``, and holds
``/folder/file@digest`` once it is `pinned`. Where the file lies is no part of what names a run.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from physlm.atomic import replacing

SOURCE = {"source": True}

_PINNED = re.compile(r"(?P<path>.*)@(?P<digest>[0-9a-f]{16})", re.DOTALL)
_LARGE = 2**26


def pinned(name: str) -> str:
    """A path made absolute, with the digest of what is there now behind it.

    What is pinned already, and what does not exist, stays as it is.
    """
    path = Path(name)
    if not name or not path.exists():
        return name
    return f"{path.resolve()}@{digest(path)}"


def content_of(name: str) -> str:
    """What of a source names a run: its digest where it has one, else the name itself."""
    found = _PINNED.fullmatch(name)
    return name if found is None else f"@{found['digest']}"


def path_of(name: str) -> Path:
    """Where a source is, or was when it was pinned."""
    found = _PINNED.fullmatch(name)
    return Path(name if found is None or Path(name).exists() else found["path"])


def located(name: str) -> Path:
    """The path of a source, which holds what it did when it was pinned.

    Raises:
        ValueError: If nothing is there, or something else.
    """
    path = path_of(name)
    if not path.exists():
        raise ValueError(f"{path} does not exist; give the path of what is there")
    if path != Path(name) and content_of(name) != f"@{digest(path)}":
        raise ValueError(f"{path} has changed; restore it, or give its path anew")
    return path


def keep_copies(config: Any, folder: Path) -> None:
    """Copy the pinned files of a configuration and its sections; folders are not among them.

    Raises:
        ValueError: If one of them is no longer what it was when it was pinned.
    """
    for *_, name in _held(config):
        copy = _copy_of(name, folder)
        if content_of(name) != name and path_of(name).is_file() and not copy.exists():
            path = located(name)
            with replacing(copy) as temporary:
                shutil.copyfile(path, temporary)


def take_copies(config: Any, folder: Path) -> None:
    """Let a configuration's sources be their copies in a folder, of those that have one there."""
    for owner, field, name in _held(config):
        copy = _copy_of(name, folder)
        if content_of(name) != name and copy.is_file():
            setattr(owner, field, f"{copy.resolve()}{content_of(name)}")


def _copy_of(name: str, folder: Path) -> Path:
    """Where among copies that of a pinned file is."""
    return folder / f"{content_of(name).removeprefix('@')}{path_of(name).suffix}"


def _held(config: Any) -> Iterator[tuple[Any, str, str]]:
    """Every source of a configuration: the section that has it, the field, the name."""
    if isinstance(config, dict):
        for section in config.values():
            yield from _held(section)
    elif is_dataclass(config):
        for field in fields(config):
            value = getattr(config, field.name)
            if "source" in field.metadata and isinstance(value, str):
                yield config, field.name, value
            else:
                yield from _held(value)


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


def sha256(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(file: Path) -> str:
    """Large files, whose weights take seconds, are read once by a process."""
    found = file.stat()
    if found.st_size < _LARGE:  # such as can be written twice within a tick of the clock
        return sha256(file)
    return _hashed_once(file, found.st_ino, found.st_mtime_ns, found.st_size)


@cache
def _hashed_once(file: Path, *version: int) -> str:  # noqa: ARG001 - what the hash is kept by
    return sha256(file)
