"""Requests to stop a command before it runs anything: it ends in one line."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)  # requests to stop
INTERRUPTED = 130  # exit status of a command that was asked to stop
ASKED_TO_STOP = "asked to stop; run the same command to resume"

_LATER_SECONDS = 0.01
_IMPORTING, _COMPOSING = "<frozen importlib", "load_configuration"


def end_on_request() -> None:
    """End this process in one line at SIGTERM and Ctrl-C.

    Python would end without a word at the one, and with a traceback at the other. A run has answers
    of its own (`physlm.interruption`), and puts these back at its end.
    """
    with suppress(ValueError):  # signals reach the main thread only
        for number in SIGNALS:
            signal.signal(number, _end)


def is_postponed(number: int, frame: FrameType | None) -> bool:
    """Whether a request is sent again later, since an error raised now would be lost.

    Python prints and drops an error in a finaliser (``__del__``).

    Args:
        number: Of the signal.
        frame: What it has interrupted.
    """
    if not any(name == "__del__" for _, name in _calls(frame)):
        return False
    again = threading.Timer(_LATER_SECONDS, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()
    return True


def _end(number: int, frame: FrameType | None) -> None:
    if is_postponed(number, frame):
        return
    for one in SIGNALS:  # a second request does not interrupt the end
        signal.signal(one, signal.SIG_IGN)
    with suppress(OSError, ValueError, AttributeError):  # nobody reads, or it is closed
        sys.stderr.write(f"interrupted: {ASKED_TO_STOP}\n")
        sys.stderr.flush()
    # An import, and Hydra's composing, may make another error of the one that is raised in them.
    # Neither has written anything.
    if any(file.startswith(_IMPORTING) or name == _COMPOSING for file, name in _calls(frame)):
        os._exit(INTERRUPTED)
    sys.exit(INTERRUPTED)


def _calls(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    """File and name of each function that is being called, the last one first."""
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_code.co_name
        frame = frame.f_back
