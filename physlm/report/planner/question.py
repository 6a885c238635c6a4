"""What a plan is made for: facts, their exposures, a model, or two of the three."""

from dataclasses import dataclass

from physlm.errors import InputError
from physlm.report.planner import bios
from physlm.report.planner.case import PLAIN, Case, Setting

STORED = 0.9
LEAST, MOST = 1e-3, 1e15  # of all quantities
_QUANTITIES = ("facts", "exposures", "tokens", "parameters", "bits_per_fact", "tokens_per_fact")


@dataclass(frozen=True, slots=True)
class Rare:
    """Facts that are seen less often than the others.

    Attributes:
        share: Their fraction of all facts.
        exposures: Times that each is seen.
    """

    share: float
    exposures: float

    def __str__(self) -> str:
        """As on the command line."""
        return f"--rare {self.share:g}:{self.exposures:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Two of facts, parameters and exposures, for which the third is planned; or all three.

    Attributes:
        facts: Number of facts.
        exposures: Times that a fact is seen, other than rare ones.
        tokens: Tokens of training, junk included, in place of the exposures.
        parameters: Of the model.
        stored: The fraction of all bits that is to be stored.
        bits_per_fact: Bits of a fact, its part of the name included; None for those of bioS, six
            facts a person.
        tokens_per_fact: Tokens of text for each fact and exposure; None for those of the worlds
            that a law comes from.
        setting: What else changes capacity.
        rare: Facts that are seen less often.

    Raises:
        InputError: If a value breaks its rule; it is named as on the command line.
    """

    facts: float | None = None
    exposures: float | None = None
    tokens: float | None = None
    parameters: float | None = None
    stored: float = STORED
    bits_per_fact: float | None = None
    tokens_per_fact: float | None = None
    setting: Setting = PLAIN
    rare: tuple[Rare, ...] = ()

    def __post_init__(self) -> None:
        """Check every value, and that at most one is missing."""
        self._require_quantities()
        if not 0 < self.stored < 1:
            raise InputError(f"--stored {self.stored:g}; must be above 0 and below 1")
        self._require_one_unknown()
        self._require_rare()

    @property
    def unknown(self) -> str:
        """What is planned: ``facts``, ``parameters``, ``exposures``, or ``stored`` given all."""
        if self.facts is None:
            return "facts"
        if self.parameters is None:
            return "parameters"
        return "exposures" if self.exposures is None and self.tokens is None else "stored"

    def bits(self, facts: float) -> float:
        """Bits of some facts, names included."""
        if self.bits_per_fact is not None:
            return facts * self.bits_per_fact
        return bios.world_bits(facts / bios.FACTS)

    def case(self, *, facts: float, parameters: float, exposures: float) -> Case:
        """What a law is asked about."""
        bits = self.bits(facts)
        return Case(bits=bits, parameters=parameters, exposures=exposures, setting=self.setting)

    def training_tokens(self, facts: float, exposures: float) -> float:
        """Tokens of training, junk included, with rare facts seen as rarely as they are."""
        assert self.tokens_per_fact is not None, "the question of a law has its tokens"
        seen = exposures * self._frequent + sum(r.share * r.exposures for r in self.rare)
        return facts * self.tokens_per_fact * seen / (1 - self.setting.junk_fraction)

    def exposures_of(self, facts: float) -> float:
        """The exposures that are given, or those that the tokens allow for some facts."""
        if self.exposures is not None:
            return self.exposures
        assert self.tokens is not None
        each = self.training_tokens(facts, 1.0) - self.training_tokens(facts, 0.0)
        return (self.tokens - self.training_tokens(facts, 0.0)) / each

    @property
    def _frequent(self) -> float:
        """The fraction of the facts that are not rare."""
        return 1 - sum(one.share for one in self.rare)

    def _require_quantities(self) -> None:
        for name in _QUANTITIES:
            value = getattr(self, name)
            if value is not None:
                require_quantity(name.replace("_", "-"), value)

    def _require_one_unknown(self) -> None:
        if self.exposures is not None and self.tokens is not None:
            raise InputError(
                f"--exposures {self.exposures:g} with --tokens {self.tokens:g}; both set the "
                "length of training, leave out one of them"
            )
        given = (self.facts, self.parameters, self.tokens or self.exposures)
        if sum(value is not None for value in given) < 2:
            raise InputError(
                "too little is given; give two of --facts (or --people), --parameters and "
                "--exposures (or --tokens); the third is planned"
            )

    def _require_rare(self) -> None:
        for one in self.rare:
            if not 0 < one.share < 1:
                raise InputError(f"{one}; the share of the facts must be above 0 and below 1")
            if one.exposures != 0 and not is_quantity(one.exposures):
                raise InputError(f"{one}; the exposures must be 0 or from {LEAST:g} to {MOST:g}")
        if self._frequent <= 0:
            shares = 1 - self._frequent
            raise InputError(f"--rare: the shares add up to {shares:g}; must be below 1")


def is_quantity(value: float) -> bool:
    """Whether a value is a number within the limits of all quantities."""
    return LEAST <= value <= MOST


def require_quantity(flag: str, value: float) -> None:
    """Require a quantity within limits.

    Raises:
        InputError: If the value is too small, too large, or not a number.
    """
    if not is_quantity(value):
        raise InputError(f"--{flag} {value:g}; must be a number from {LEAST:g} to {MOST:g}")
