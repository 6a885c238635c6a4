"""Command-line options shared by commands that read run directories."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from physlm.arguments import Parser
from physlm.errors import InputError
from physlm.record import RunRecord
from physlm.report.tables import find_records


def parser_of_runs(
    command: str,
    description: str | None,
    *,
    epilog: str = "",
    about: str = "folders with run directories (default: runs)",
    default: Sequence[Path] = (Path("runs"),),
) -> Parser:
    """A parser whose ``folders`` are those with run directories.

    Args:
        command: Name of the command's module.
        description: What it does.
        epilog: Examples, printed as they are.
        about: Help of the folders.
        default: The folders where none is given.
    """
    parser = Parser(command, description, epilog)
    parser.add_argument(
        "folders", nargs="*", type=Path, default=list(default), metavar="RUNS", help=about
    )
    return parser


def add_where(parser: argparse.ArgumentParser) -> None:
    """``--where``, the conditions of `choose`."""
    parser.add_argument(
        "--where",
        nargs="+",
        metavar="KEY=VALUE[,VALUE]",
        default=[],
        help="only runs with one of these values",
    )


def readable_records(folders: Sequence[Path]) -> tuple[list[RunRecord], bool]:
    """The records below folders, and whether all could be read; errors are printed."""
    records, unreadable = find_records(folders)
    for problem in unreadable:
        print(f"error: {problem}", file=sys.stderr)
    return records, not unreadable


def require_folder(folder: Path, *files: str) -> None:
    """Require that ``--output`` names a folder, which gets the files.

    Raises:
        InputError: If it names a file.
    """
    if folder.suffix or folder.is_file():
        raise InputError(f"--output {folder}; name a folder for {' and '.join(files)}")
