"""When a token leaves the model before its last block."""

from dataclasses import dataclass
from enum import Enum

from physlm.errors import InputError, refused_values


class ExitCriterion(str, Enum):
    """When a prediction leaves the model.

    Attributes:
        probability: The lens' highest probability is at least the threshold.
        entropy: The entropy of the lens' distribution, in nats, is at most the threshold.
        repeat: The top-1 token has been the same for as many traced states as the threshold says.
    """

    probability = "probability"
    entropy = "entropy"
    repeat = "repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRule:
    """The states at which tokens may leave a model, and when they do.

    Attributes:
        states: Candidate states, ascending. Checking one costs its readout: a product of width and
            vocabulary size. Fewer candidates save that, and more blocks run.
        criterion: When a token leaves; None if all leave at the first candidate.
        threshold: Threshold of the criterion. Under ``repeat`` it counts candidate states.

    Raises:
        InputError: If there is no candidate, they do not ascend, or there is no such criterion.
    """

    states: tuple[int, ...]
    criterion: ExitCriterion | None = ExitCriterion.probability
    threshold: float = 0.9

    def __post_init__(self) -> None:
        if not self.states or list(self.states) != sorted(set(self.states)):
            raise InputError(
                f"states={list(self.states)}; name the states at which tokens may leave, ascending"
            )
        if self.criterion is not None:
            with refused_values():
                object.__setattr__(self, "criterion", ExitCriterion(self.criterion))

    @classmethod
    def static(cls, state: int) -> "ExitRule":
        """All tokens leave at one state."""
        return cls(states=(state,), criterion=None)
