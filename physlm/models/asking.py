"""Prompts to an endpoint, several at once, with answers as they come."""

import queue
import threading
from collections.abc import Iterable, Iterator

from physlm.models.endpoint import Endpoint


def asked(
    endpoint: Endpoint, prompts: Iterable[str], n_at_once: int
) -> Iterator[tuple[int, str | None]]:
    """The number and the answer of each prompt, in the order in which they arrive.

    An answer is None where the model was cut off before it answered. As many answers as requests
    may wait for whoever takes them; then no further prompt is sent, nor after an error: pending
    answers are awaited and yielded.

    Args:
        endpoint: The endpoint that answers.
        prompts: Taken as they are needed.
        n_at_once: Requests at once.

    Raises:
        InputError: If the endpoint is down, refuses, or its responses are not chat completions.
    """
    asking = _Asking(endpoint, prompts, n_at_once)
    for _ in range(n_at_once):
        # Daemon threads do not delay a process that is requested to stop.
        threading.Thread(target=asking.work, daemon=True).start()
    try:
        yield from asking.answers(n_at_once)
    finally:
        asking.stop.set()
        asking.room.release(n_at_once)


class _Asking:
    """A queue of prompts for threads, and the queue of their answers."""

    def __init__(self, endpoint: Endpoint, prompts: Iterable[str], n_at_once: int) -> None:
        self.endpoint, self.waiting = endpoint, enumerate(prompts)
        self.came: queue.SimpleQueue[tuple[int, str | None] | Exception | None] = (
            queue.SimpleQueue()
        )
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.room = threading.Semaphore(2 * n_at_once)  # for prompts sent whose answer is not taken

    def work(self) -> None:
        """Send prompts until none is left or a thread has failed."""
        try:
            with self.endpoint.session() as session:
                while (found := self._next()) is not None:
                    number, prompt = found
                    text = self.endpoint.answer(session, prompt, self.stop)
                    self.came.put((number, text))
        except Exception as error:  # noqa: BLE001 - raised again by the consumer
            self.stop.set()
            self.came.put(error)
        finally:
            self.came.put(None)

    def answers(self, n_threads: int) -> Iterator[tuple[int, str | None]]:
        """All that arrives until every thread has ended; then the first error is raised."""
        errors = list[Exception]()
        while n_threads:
            came = self.came.get()
            if came is None:
                n_threads -= 1
            elif isinstance(came, Exception):
                errors.append(came)
                if n_threads > 1:
                    self.endpoint.say("sends no more prompts; waits for pending answers")
            else:
                yield came
                self.room.release()
        if errors:
            raise errors[0]

    def _next(self) -> tuple[int, str] | None:
        self.room.acquire()
        with self.lock:
            return None if self.stop.is_set() else next(self.waiting, None)
