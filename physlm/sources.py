"""Source files and folders of a configuration, identified by their content.

A field that names one is ``field(default="", metadata=SOURCE)``, and holds ``/folder/file@digest``
once it is `pinned`. The path does not enter the run id, the digest does.
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
    """The absolute path of a source, followed by the digest of its present content.

    Names that are pinned already, or do not exist, are returned unchanged.
    """
    path = Path(name)
    if not name or not path.exists():
        return name
    return f"{path.resolve()}@{digest(path)}"


def content_of(name: str) -> str:
    """The part of a source that enters the run id: its digest if pinned, else the name."""
    found = _PINNED.fullmatch(name)
    return name if found is None else f"@{found['digest']}"


def path_of(name: str) -> Path:
    """The path of a source, at which it may no longer exist."""
    found = _PINNED.fullmatch(name)
    return Path(name if found is None or Path(name).exists() else found["path"])


def located(name: str) -> Path:
    """The path of a source, whose content is verified if it is pinned.

    Raises:
        ValueError: If it does not exist, or its content has changed.
    """
    path = path_of(name)
    if not path.exists():
        raise ValueError(f"{path} does not exist; give an existing path")
    if path != Path(name) and content_of(name) != f"@{digest(path)}":
        raise ValueError(f"{path} has changed; restore it, or give its path again")
    return path


def keep_copies(config: Any, folder: Path) -> None:
    """Copy the pinned files of a configuration and its sections; folders are not among them.

    Raises:
        ValueError: If one of them has changed since it was pinned.
    """
    for *_, name in _held(config):
        copy = _copy_of(name, folder)
        if content_of(name) != name and path_of(name).is_file() and not copy.exists():
            path = located(name)
            with replacing(copy) as temporary:
                shutil.copyfile(path, temporary)


def take_copies(config: Any, folder: Path) -> None:
    """Replace the sources of a configuration by their copies in a folder, if these exist."""
    for owner, field, name in _held(config):
        copy = _copy_of(name, folder)
        if content_of(name) != name and copy.is_file():
            setattr(owner, field, f"{copy.resolve()}{content_of(name)}")


def _copy_of(name: str, folder: Path) -> Path:
    """The path of the copy of a pinned file."""
    return folder / f"{content_of(name).removeprefix('@')}{path_of(name).suffix}"


def _held(config: Any) -> Iterator[tuple[Any, str, str]]:
    """Every source of a configuration: its section, its field, and its name."""
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

    Hidden files are left out, since programs that copy folders keep their metadata there.
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
    """The hash of a file; large files, which take seconds, are hashed once a process."""
    found = file.stat()
    if found.st_size < _LARGE:  # small files may be rewritten within the clock's resolution
        return sha256(file)
    return _hashed_once(file, found.st_ino, found.st_mtime_ns, found.st_size)


@cache
def _hashed_once(file: Path, *version: int) -> str:  # noqa: ARG001 - the key of the cache
    return sha256(file)
