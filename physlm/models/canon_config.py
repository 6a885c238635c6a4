"""Configuration of Canon layers.

This module imports no torch, so that a configuration is composed without it.
"""

from dataclasses import dataclass
from enum import Enum

from physlm.schema import Schema

POSITIONS = "ABCD"
KERNELS = range(2, 5)


class Activation(str, Enum):
    """Activation of a Canon layer's sum, before the residual is added."""

    none = "none"
    silu = "silu"


@dataclass(kw_only=True, slots=True)
class CanonConfig(Schema):
    """Canon layers in every block, at some of four positions.

    A: after the norm before attention, so that everything in the mixer reads it. B: in the mixer,
    on concat[queries; keys; values], after QK-norm and before rotation. C: after the norm before
    the MLP. D: on the hidden layer of the MLP before its activation, or on concat[gate; up].

    Source:
        Physics of Language Models, Part 4.1: ABCD, kernel 4, with a residual and nothing else.
    """

    positions: str = POSITIONS  # a subset of ABCD, in any order
    kernel: int = 4  # tokens that a token takes in, itself included
    residual: bool = True  # adds the sum to its input; false: replaces the input by the sum
    activation: Activation = Activation.none
    bias: bool = False  # adds a trained constant to each channel of the sum
    is_frozen: bool = False  # keeps the random initial weights

    def validate(self) -> None:
        """Require known positions, each given once, and a kernel of 2 to 4 tokens."""
        letters = sorted(set(self.positions))
        if not letters or len(letters) < len(self.positions) or not {*letters} <= {*POSITIONS}:
            raise ValueError(
                f"canon.positions={self.positions}; must be letters of {POSITIONS}, each once"
            )
        if self.kernel not in KERNELS:
            raise ValueError(
                f"canon.kernel={self.kernel}; must be from {KERNELS[0]} to {KERNELS[-1]}"
            )
        self.positions = "".join(letters)  # one spelling of each set

    def n_parameters(self, position: str, width: int) -> int:
        """Parameters of one Canon layer of a width; 0 if there is none at the position."""
        return (self.kernel + self.bias) * width if position in self.positions else 0
