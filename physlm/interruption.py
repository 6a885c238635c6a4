"""Requests to stop a run, by SIGTERM or Ctrl-C: however far it is, it ends as one error."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from physlm.errors import InterruptedRunError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequests:
    """Whether SIGTERM or Ctrl-C has come.

    Attributes:
        was_requested: It has.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.was_requested = False
        self._only_noted = set() if at_once else set(_SIGNALS)

    def listen(self) -> None:
        """Hear of both from now on, instead of whoever did before."""
        with suppress(ValueError):  # signals reach the main thread only
            for number in _SIGNALS:
                signal.signal(number, self._note)

    def _note(self, number: int, _: object) -> None:
        self.was_requested = True
        if number not in self._only_noted:
            raise KeyboardInterrupt
        self._only_noted.discard(signal.Signals(number))


@contextmanager
def stop_requests(*, at_once: bool = False) -> Iterator[StopRequests]:
    """Around a run, or a part of it: SIGTERM and Ctrl-C end it as one error.

    Unless it is to end ``at_once``, the first of a kind is noted only: training looks for it
    between chunks, and saves its state. The second of a kind does not wait.

    Raises:
        InterruptedRunError: If a request has come, whatever became of it inside: a library may
            leave with a status of success, or with all that a killed compiler had to say.
    """
    requests = StopRequests(at_once=at_once)
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    requests.listen()
    try:
        yield requests
    except InterruptedRunError:
        raise
    except BaseException as error:
        if requests.was_requested:
            raise InterruptedRunError("asked to stop; run the same command to go on") from error
        raise
    finally:
        with suppress(ValueError):
            for number, handler in previous.items():
                signal.signal(number, handler)
    if requests.was_requested:
        raise InterruptedRunError("asked to stop; run the same command to go on")
