"""The errors a user can cause or must know of; everything else is our own fault."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one line that says what to do."""


class DivergedError(ArithmeticError):
    """The loss stopped being a number; carries the step at which it was first seen."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"the loss is not finite at step {step}; lower optim.learning_rate "
            "or set trainer.gradient_clip, the last good checkpoint is kept"
        )
        self.step = step


class InterruptedRunError(RuntimeError):
    """The run was asked to stop and saved its state; the same command resumes it."""
