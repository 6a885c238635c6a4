"""Requests to stop a run, by SIGTERM or Ctrl-C, which always end as one error."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from physlm.early_end import ASKED_TO_STOP, SIGNALS, is_postponed
from physlm.errors import InterruptedRunError


class StopRequests:
    """Handlers of SIGTERM and Ctrl-C.

    Attributes:
        was_requested: Whether either signal was received.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.was_requested = False
        self._only_noted = set() if at_once else set(SIGNALS)

    def listen(self) -> None:
        """Install the handlers, in place of previous ones."""
        with suppress(ValueError):  # signals reach the main thread only
            for number in SIGNALS:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.was_requested = True
        if number not in self._only_noted:
            if is_postponed(number, frame):
                return
            raise KeyboardInterrupt
        self._only_noted.discard(signal.Signals(number))


@contextmanager
def stop_requests(*, at_once: bool = False) -> Iterator[StopRequests]:
    """A context in which SIGTERM and Ctrl-C end a run as one error.

    Unless ``at_once``, the first signal of a kind only sets a flag, which training checks between
    chunks to save its state. The second signal of a kind interrupts immediately.

    Raises:
        InterruptedRunError: If a signal was received, whatever happened inside: a library may exit
            with success, or raise the error of a killed compiler.
    """
    requests = StopRequests(at_once=at_once)
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    requests.listen()
    try:
        yield requests
    except InterruptedRunError:
        raise
    except BaseException as error:
        if requests.was_requested:
            raise InterruptedRunError(ASKED_TO_STOP) from error
        raise
    finally:
        with suppress(ValueError):
            for number, handler in previous.items():
                signal.signal(number, handler)
    if requests.was_requested:
        raise InterruptedRunError(ASKED_TO_STOP)
