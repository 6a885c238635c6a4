"""The command line in a copy of this process, which has loaded everything, and its end.

A copy is a process like any other, to be killed and starved; it only spares the seconds of imports.
"""

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from physlm.early_end import INTERRUPTED, end_on_request
from physlm.messages import BAD_INPUT

MOST_CPU_SECONDS = 60  # of a try; whatever takes longer is killed, and counts as a violation


@dataclass(frozen=True, slots=True)
class Attempt:
    """A command that has ended.

    Attributes:
        status: Its exit status; minus the number of the signal that killed it.
        out: What it printed.
        err: What it printed on standard error.
        seconds: From its start to its end.
        cpu_seconds: CPU time, without that of loading libraries.
        peak_bytes: The most memory that it had at a time, libraries included.
    """

    status: int
    out: str
    err: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    @property
    def words(self) -> str:
        """Status and messages on one line."""
        return f"status {self.status}: {' / '.join(self.err.splitlines())[:300]}"

    @property
    def is_one_line(self) -> bool:
        """Whether standard error has one line, which is neither a traceback nor our fault."""
        lines = self.err.splitlines()
        return len(lines) == 1 and "fault: " not in lines[0] and "Traceback" not in lines[0]

    @property
    def outcome(self) -> str:
        """``survived``, ``refused``, or what is wrong with the end of this command."""
        has_traceback = "Traceback (most recent" in self.err
        if self.status == 0 and not has_traceback:
            return "survived"
        if self.status in {BAD_INPUT, INTERRUPTED} and self.is_one_line:
            return "refused"
        return self.words


class Command:
    """A command that runs in a copy of this process, in a group of its own."""

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        *,
        before: Callable[[], None] = lambda: None,
        call: Callable[[], None] | None = None,
    ) -> None:
        """Start it.

        Args:
            words: Of ``python -m physlm.run``.
            folder: Its working directory.
            before: Called in the copy before the command.
            call: Called in its place.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.files = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115
        self.began = time.monotonic()
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # no thread of ours is needed there
            self.pid = os.fork()
        if self.pid == 0:
            os._exit(_copy(words, folder, self.files, before, call or _main))

    def send(self, number: int) -> None:
        """Send a signal to the command and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def end(self) -> Attempt:
        """Wait for it."""
        _, raw, used = os.wait4(self.pid, 0)
        seconds = time.monotonic() - self.began
        self.send(signal.SIGKILL)  # whatever it left behind
        texts = []
        for file in self.files:
            file.seek(0)
            texts.append(file.read())
            file.close()
        return Attempt(
            os.waitstatus_to_exitcode(raw),
            *texts,
            seconds=seconds,
            cpu_seconds=used.ru_utime + used.ru_stime,
            peak_bytes=used.ru_maxrss * 1024,
        )


def attempt(words: Sequence[str], folder: Path, **options: Callable[[], None]) -> Attempt:
    """Run a command to its end."""
    return Command(words, folder, **options).end()


def _main() -> None:
    from physlm.run import main

    main()


def _copy(
    words: Sequence[str],
    folder: Path,
    files: Sequence[object],
    before: Callable[[], None],
    call: Callable[[], None],
) -> int:
    """What the copy does; its exit status."""
    os.setpgid(0, 0)
    os.chdir(folder)
    for number, file in enumerate(files, start=1):
        os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (open(n, "w", closefd=False) for n in (1, 2))  # noqa: SIM115
    end_on_request()  # as in a process that begins with `python -m physlm.run`
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, resource.RLIM_INFINITY))
    sys.argv = ["physlm.run", *words]
    status = 1
    try:
        before()
        call()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter would
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    return status
