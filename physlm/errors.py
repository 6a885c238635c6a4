"""Errors that are reported to users; all others are faults of physlm."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Input that cannot be used; the message is one line with the remedy."""


@contextmanager
def refused_values() -> Iterator[None]:
    """A context in which refused values are errors of the user's input.

    Raises:
        InputError: For every ValueError inside.
    """
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error


class DivergedError(ArithmeticError):
    """The loss is not finite.

    Args:
        step: The first step at which it is not.
        remedy: What may prevent it.
    """

    def __init__(
        self, step: int, remedy: str = "lower optim.learning_rate or trainer.gradient_clip"
    ) -> None:
        super().__init__(step, remedy)
        self.step = step
        self.remedy = remedy

    def __str__(self) -> str:
        return f"the loss is not finite at step {self.step}; {self.remedy}"


class FailedPointError(RuntimeError):
    """A point of a sweep failed, and has reported its error."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class KilledProcessError(RuntimeError):
    """A process of a pool was killed, which loses the unsaved work of the whole pool."""

    def __init__(self) -> None:
        super().__init__(
            "its process or one beside it was killed, perhaps for lack of memory; the same command "
            "resumes, and runtime.n_threads=2 or more starts fewer processes at a time"
        )


class InterruptedRunError(RuntimeError):
    """The run was asked to stop; the same command resumes from its last saved state."""


class UnmeasuredError(RuntimeError):
    """A scorer failed after training; the message says which and why."""
