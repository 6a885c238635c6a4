"""The argument parser of a command: errors in one line, `--version`, help as it is written."""

import argparse
from typing import NoReturn

from physlm.errors import InputError
from physlm.revision import add_version


class Parser(argparse.ArgumentParser):
    """The parser of one command, which raises an error instead of exiting.

    Args:
        command: Name of the command's module.
        description: What it does, printed as it is.
        epilog: Examples, printed as they are.
    """

    def __init__(self, command: str, description: str | None, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"python -m physlm.{command}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_version(self)

    def error(self, message: str) -> NoReturn:
        """Refuse a command line.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{message}; --help lists the options")
