"""Errors that are reported to users; all others are faults of physlm."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    """Points of a sweep failed, and have reported their errors.

    Args:
        status: Exit status of the worst.
        n_failed: Number of points that failed.
        n_points: Number of all points.
    """

    def __init__(self, status: int, n_failed: int, n_points: int) -> None:
        super().__init__(status, n_failed, n_points)
        self.status, self.n_failed, self.n_points = status, n_failed, n_points

    def __str__(self) -> str:
        if self.n_failed == self.n_points:
            return f"all {self.n_points} runs failed, as reported above"
        return (
            f"{self.n_failed} of {self.n_points} runs failed, as reported above; the same command "
            "repeats only these"
        )


class RunInUseError(InputError):
    """Another process works on a run.

    Args:
        path: Its directory.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is in use by another process; wait for it or stop it"


class KilledProcessError(RuntimeError):
    """A process of a pool was killed, which loses the unsaved work of its run."""

    def __init__(self) -> None:
        super().__init__(
            "its process was killed, perhaps for lack of memory; the same command resumes, and "
            "runtime.n_threads=2 or more starts fewer processes at a time"
        )


class InterruptedRunError(RuntimeError):
    """The run was asked to stop; the same command resumes from its last saved state."""


class UnmeasuredError(RuntimeError):
    """A scorer failed after training; the message says which and why."""
