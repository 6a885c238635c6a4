"""The errors a user can cause or must know of; everything else is our own fault."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
    """The loss stopped being a number; carries the step at which it was first seen."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"the loss is not finite at step {step}; lower optim.learning_rate or set "
            "trainer.gradient_clip"
        )
        self.step = step


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


def reason(error: BaseException) -> str:
    """What went wrong, and where, on one line that a record can keep."""
    text = " ".join(str(error).split())
    if isinstance(error, InputError):
        return text
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{where}"


@contextmanager
def never_stopping(what: str) -> Iterator[None]:
    """Around what only shows a run: where it fails, one line says so, and the run goes on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - no result depends on it, whatever went wrong
        with suppress(OSError, ValueError):  # standard error may be what failed
            sys.stderr.write(f"note: {what} failed, the run goes on: {reason(error)}\n")
