"""Where libraries keep what they need not compute again, if the home folder cannot be written."""

import os
import stat
import tempfile
from pathlib import Path


def settle_caches() -> None:
    """Send caches to a private temporary folder where the user's cache folder cannot be written.

    This process and those that it starts find it in their environment, where Numba, matplotlib,
    W&B and others look. Without such a folder each library is left to itself.
    """
    if os.name != "posix" or _is_writable(_users_folder()):
        return
    folder = _private_folder()
    if folder is not None:
        os.environ["XDG_CACHE_HOME"] = str(folder)
        os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))


def _users_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111


def _is_writable(folder: Path) -> bool:
    """Whether the folder can be written, or made."""
    if not folder.is_absolute():  # a user without a home folder
        return False
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _private_folder() -> Path | None:
    """A temporary folder that nobody else can write: the code in it is run."""
    try:
        folder = Path(tempfile.gettempdir()) / f"physlm-cache-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return folder if is_ours and not found.st_mode & 0o077 else None
