"""Output that never stops a run: failing prints, figures and trackers are tolerated."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

_WIDEST = 250  # columns of a table in a file or pipe, wide enough to cut nothing


def tell(line: str) -> None:
    """Print one line on standard error; ignored if that fails."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # its reader is gone, or it is closed
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def table_console() -> Console:
    """Standard output for tables: as wide as the terminal, or as any table."""
    return Console(width=None if sys.stdout.isatty() else _WIDEST)


def reason(error: BaseException) -> str:
    """The message of an error on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def harmless(what: str) -> Iterator[None]:
    """A context for code that only displays a run: an error in it is reported in one line."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - no error of display affects the run
        tell(f"note: {what} failed, the run continues: {reason(error)}")


def outlive_readers() -> None:
    """Make printing in this process never fail.

    If output cannot be written, since its reader is gone or a disk is full, the rest is discarded.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before the process began
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        if not isinstance(stream, _Outliving):
            setattr(sys, name, _Outliving(stream))


class _Outliving:
    """A stream that discards its output after the first error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._outlived():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._outlived():
            self._stream.flush()

    @contextmanager
    def _outlived(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # The buffer is flushed again when the process ends, and must not fail then.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                tell(f"{self._stream.name}: {reason(error)}; further output is discarded")
