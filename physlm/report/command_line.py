"""The command line of commands that read run directories."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def parser_of_runs(
    command: str,
    description: str | None,
    *,
    epilog: str = "",
    about: str = "folders with run directories (default: runs)",
    default: Sequence[Path] = (Path("runs"),),
) -> argparse.ArgumentParser:
    """A parser whose ``folders`` are those with run directories.

    Args:
        command: Name of the command's module.
        description: What it does.
        epilog: Examples, printed as they are.
        about: Help of the folders.
        default: The folders where none is given.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m physlm.{command}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, default=list(default), metavar="RUNS", help=about
    )
    return parser
