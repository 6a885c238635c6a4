"""What watches a run never stops it: lines, prints, figures and trackers that fail are outlived."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

_WIDEST = 250  # columns of a table in a file or pipe, where nothing may be cut


def tell(line: str) -> None:
    """Say one line on standard error, where somebody can read it."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # nobody reads it, or it is closed
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def table_console() -> Console:
    """Standard output for tables: as wide as the terminal, or as any table is."""
    return Console(width=None if sys.stdout.isatty() else _WIDEST)


def reason(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def harmless(what: str) -> Iterator[None]:
    """Around what only shows a run: an error in it is told in one line, and ends nothing else."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the run itself is sound
        tell(f"note: {what} failed, the run goes on: {reason(error)}")


def outlive_readers() -> None:
    """Let nothing that this process prints from now on fail.

    Where it cannot be written, as its reader is gone or a disk is full, the rest goes nowhere.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before the process began
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        if not isinstance(stream, _Outliving):
            setattr(sys, name, _Outliving(stream))


class _Outliving:
    """A stream that is led to nowhere by its first error."""

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
            # What is in the buffer is written again when the process ends, and must not fail then.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                tell(f"{self._stream.name}: {reason(error)}; the rest of it is not shown")
