"""What a capacity law is asked about: a model, its world, exposures, what changes capacity."""

from dataclasses import dataclass
from enum import Enum

from physlm.errors import InputError

FULL_PRECISION = 32
MOST_JUNK = 7 / 8  # of all tokens, in the runs that any law comes from


class Mlp(str, Enum):
    """The MLP of a decoder, in models with the same number of parameters in total."""

    plain = "plain"
    gated = "gated"
    moe = "moe"  # 32 experts, one active per token


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What changes capacity, other than size and exposures.

    Attributes:
        junk_fraction: Fraction of all tokens that are about people who never recur.
        has_domain_token: Whether a token marks the documents of the people to be learnt.
        weight_bits: Bits of a weight when the model is used; 32 if it is not quantised.
        mlp: The MLP.

    Raises:
        InputError: If no law has an answer; what is wrong is named as on the command line.
    """

    junk_fraction: float = 0.0
    has_domain_token: bool = False
    weight_bits: int = FULL_PRECISION
    mlp: Mlp = Mlp.plain

    def __post_init__(self) -> None:
        """Refuse what was never measured, and from which no law extrapolates."""
        if not 0 <= self.junk_fraction <= MOST_JUNK:
            raise InputError(
                f"--junk {self.junk_fraction:g}; the fraction of all tokens that is junk must be "
                f"from 0 to {MOST_JUNK:g}, the most that was measured"
            )
        if self.has_domain_token and not self.junk_fraction:
            raise InputError(
                "--domain-token marks documents that are not junk; give the fraction of junk, such "
                "as --junk 0.5"
            )
        if len(changes := self.changes) > 1:
            raise InputError(
                f"{' and '.join(changes)} were not measured together; give one of them"
            )

    @property
    def changes(self) -> list[str]:
        """What differs from a plain model without junk, in words."""
        junk = f"junk {self.junk_fraction:g}" + " with domain tokens" * self.has_domain_token
        return [
            word
            for word, is_changed in (
                (junk, self.junk_fraction > 0),
                (f"{self.weight_bits}-bit weights", self.weight_bits != FULL_PRECISION),
                (f"{self.mlp.value} MLP", self.mlp != Mlp.plain),
            )
            if is_changed
        ]


PLAIN = Setting()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model and the world that it reads.

    Attributes:
        bits: Bits of all names and values of the world.
        parameters: Of the model, all of them.
        exposures: Times that each fact is seen in training.
        setting: What else changes capacity.
    """

    bits: float
    parameters: float
    exposures: float
    setting: Setting = PLAIN


@dataclass(frozen=True, slots=True)
class Stored:
    """The fraction of a world's bits that a model stores.

    Attributes:
        value: The fraction that a law predicts.
        low: Lower end of its interval, equal to the value if the law has none.
        high: Upper end.
    """

    value: float
    low: float
    high: float
