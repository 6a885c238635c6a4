"""Caches of libraries, for users whose home folder cannot be written."""

import os
import stat
import tempfile
from pathlib import Path


def settle_caches() -> None:
    """Move caches to a private temporary folder if the user's cache folder cannot be written.

    The folder is set in the environment of this process and its children, where Numba, matplotlib,
    W&B and others look for it. If it cannot be made, the libraries keep their defaults.
    """
    if os.name != "posix" or _is_writable(users_folder()):
        return
    folder = _private_folder()
    if folder is not None:
        os.environ["XDG_CACHE_HOME"] = str(folder)
        os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))


def users_folder() -> Path:
    """The folder of the user's caches, which may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111


def _is_writable(folder: Path) -> bool:
    """Whether the folder exists and is writable, or can be made."""
    if not folder.is_absolute():  # a user without a home folder
        return False
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _private_folder() -> Path | None:
    """A temporary folder that no other user can write, since compiled code in it is executed."""
    try:
        folder = Path(tempfile.gettempdir()) / f"physlm-cache-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return folder if is_ours and not found.st_mode & 0o077 else None
