"""The errors a user can cause or must know of; everything else is our own fault."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one line that says what to do."""


@contextmanager
def refused_values() -> Iterator[None]:
    """Around code that builds what the user described: a value it refuses is theirs to change.

    Raises:
        InputError: For every ValueError inside.
    """
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error


class DivergedError(ArithmeticError):
    """The loss stopped being a number; carries the step at which it was first seen.

    Args:
        step: The step.
        remedy: What may keep it a number.
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
    """A point of a sweep failed, and has said why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class KilledProcessError(RuntimeError):
    """A process that worked on a run is gone, and took what others of its pool did with it."""

    def __init__(self) -> None:
        super().__init__(
            "its process or one beside it is gone, for want of memory perhaps; the same command "
            "goes on, runtime.n_threads=2 or more has fewer at a time"
        )


class InterruptedRunError(RuntimeError):
    """The run was asked to stop; the same command goes on from its last saved state."""


class UnmeasuredError(RuntimeError):
    """A run was trained and kept, but a scorer failed; says which and why."""
