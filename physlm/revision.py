"""The version and the git revision of this code."""

import argparse
import json
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from physlm import __version__

REVISION_FILE = ".revision.json"  # in a copy of a checkout, what the checkout said


@cache
def git_revision() -> dict[str, Any]:
    """The commit that the code was at when this process first asked, where it is a checkout.

    A copy of a checkout, as jobs run it, has the revision of the checkout.
    """
    folder = Path(__file__).resolve().parent.parent
    if (folder / REVISION_FILE).is_file():
        copied: dict[str, Any] = json.loads((folder / REVISION_FILE).read_text(encoding="utf-8"))
        return copied
    if not (folder / ".git").exists():
        return {"git_revision": None, "git_dirty": None}

    def git(*words: str) -> str | None:
        command = ["git", "-C", str(folder), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain", "--untracked-files=no")
    return {
        "git_revision": git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
    }


def version_line() -> str:
    """Version and revision, as in ``physlm 0.1.0 (git 0123456789ab, changed)``."""
    found = git_revision()
    if found["git_revision"] is None:
        return f"physlm {__version__}"
    changed = ", changed" if found["git_dirty"] else ""
    return f"physlm {__version__} (git {found['git_revision'][:12]}{changed})"


def add_version(parser: argparse.ArgumentParser) -> None:
    """``--version``, which asks git only when it is given."""
    parser.add_argument("--version", action=_Version, help="show the version and exit")


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print the version and exit."""
        parser.exit(message=f"{version_line()}\n")
