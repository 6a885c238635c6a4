"""Requests to stop a command before it runs anything: it ends in one line."""

import signal
import sys
from contextlib import suppress

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_INTERRUPTED = 130  # exit status


def end_on_request() -> None:
    """End this process in one line at SIGTERM and Ctrl-C.

    Python would end without a word at the one, and with a traceback at the other. A run has answers
    of its own (`physlm.interruption`), and puts these back at its end.
    """
    with suppress(ValueError):  # signals reach the main thread only
        for number in _SIGNALS:
            signal.signal(number, _end)


def _end(*_: object) -> None:
    for number in _SIGNALS:  # a second request does not interrupt the end
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError, ValueError, AttributeError):  # nobody reads, or it is closed
        sys.stderr.write("interrupted: asked to stop; run the same command to resume\n")
        sys.stderr.flush()
    sys.exit(_INTERRUPTED)
