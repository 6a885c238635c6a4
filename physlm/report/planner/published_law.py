"""The capacity law as Part 3.3 of Physics of Language Models states it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from physlm.report.planner.bios import world_bits
from physlm.report.planner.case import FULL_PRECISION, MOST_JUNK, Case, Mlp, Setting
from physlm.report.planner.curve import Curve
from physlm.report.planner.law import Law, Load, Ranges

PAPER = "Physics of Language Models, Part 3.3 (arXiv 2404.05405)"

# Bits per parameter: result 1 (2 at the peak, at most 2.3, all of up to 1.8) and result 4.
_CAPACITY = Curve(((100, 1.0), (1000, 2.0)))
_LOW, _HIGH = Curve(((100, 1.0), (1000, 1.8))), Curve(((100, 1.0), (1000, 2.3)))

# Results 10 and 12: with 7/8 of junk, over the capacity after 100 exposures without junk.
_JUNK = {
    False: Curve(((100, 1 / 20), (300, 1 / 3), (600, 1 / 1.5), (1000, 1 / 1.3))),
    True: Curve(((100, 1 / 2), (300, 1.0))),
}

# Results 6 and 9, and 5: multiples of the capacity of a plain MLP, by exposures.
_MLPS = {Mlp.gated: {100: 1 / 1.3, 1000: 1.0}, Mlp.moe: {100: 1 / 1.5, 1000: 1 / 1.3}}

# Result 8: capacity over that of unquantised weights, which is 2 after 1000 exposures.
_WEIGHTS = {FULL_PRECISION: 1.0, 8: 1.0, 4: 0.7 / 2.0}
_OF_WEIGHTS = (1000.0, 1000.0)

# Remark A.2: fewer are not enough, whatever the batch size.
_STEPS = 50_000


def _ranges() -> Mapping[str, tuple[float, float]]:
    """Figure 1: 10 thousand to 10 million people, GPT-2 of 1 to 500 million parameters."""
    return {
        "exposures": (100.0, 1000.0),
        "parameters": (1e6, 5e8),
        "bits": (world_bits(10_000), world_bits(10_000_000)),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLaw(Law):
    """A model stores its whole world up to a capacity: 2 bits per parameter, or fewer.

    The paper has 100 and 1000 exposures (1 and 2 bits per parameter), and 300 and 600 with junk;
    between them capacity is a power of the exposures here. The interval is that of its peaks, where
    it states one; with less junk than its 7/8, the value is that of 7/8 and the interval extends to
    no junk. More than 1000 exposures store no more, and a model among junk no more than one
    without.

    Source:
        Physics of Language Models, Part 3.3, results 1 and 4 to 12.
    """

    name: ClassVar[str] = "published"
    tokens_per_fact: ClassVar[float] = 13.0  # of bioS with GPT-2 tokens: about 78 a person
    has_least_steps: ClassVar[bool] = True

    ranges: Mapping[str, tuple[float, float]] = field(default_factory=_ranges)

    def load(self, case: Case) -> Load:
        """Capacity over the bits of the world."""
        setting, exposures = case.setting, min(case.exposures, _CAPACITY.ends[1])
        size = math.log(case.parameters / case.bits) + _log_multiple(setting, exposures)
        value, low, high = (curve.log_at(exposures) for curve in (_CAPACITY, _LOW, _HIGH))
        if setting.junk_fraction > 0:
            value = low = min(_JUNK[setting.has_domain_token].log_at(exposures), value)
            high = value if setting.junk_fraction == MOST_JUNK else high
        low, high = min(low, value), max(high, value)  # they cross below 100 exposures
        return Load(log_value=size + value, log_low=size + low, log_high=size + high)

    def fraction(self, load: float) -> float:
        """All of a world that fits, and as much as fits of a larger one."""
        return min(load, 1.0)

    def sources(self, setting: Setting) -> list[str]:
        """The results of the paper."""
        results = ["1 and 4"]
        results += ["12" if setting.has_domain_token else "10"] * (setting.junk_fraction > 0)
        results += ["8"] * (setting.weight_bits != FULL_PRECISION)
        results += {Mlp.plain: [], Mlp.gated: ["5 to 7"], Mlp.moe: ["9"]}[setting.mlp]
        return [f"{PAPER}, results {', '.join(results)}"]

    def varied(self, setting: Setting) -> dict[str, Ranges]:
        """Exposures with junk, and with quantised weights."""
        if setting.junk_fraction > 0:
            return {"exposures": (_JUNK[setting.has_domain_token].ends,)}
        return {} if setting.weight_bits == FULL_PRECISION else {"exposures": (_OF_WEIGHTS,)}

    def steps(self, case: Case) -> float:  # noqa: ARG002
        """The least that the paper allows, whatever the size of a batch."""
        return _STEPS


def _log_multiple(setting: Setting, exposures: float) -> float:
    """Logarithm of what the MLP and the weights multiply capacity with."""
    found = math.log(_WEIGHTS[setting.weight_bits])
    if setting.mlp == Mlp.plain:
        return found
    multiples = _MLPS[setting.mlp].items()
    own = Curve(tuple((e, math.exp(_CAPACITY.log_at(e)) * multiple) for e, multiple in multiples))
    return found + own.log_at(exposures) - _CAPACITY.log_at(exposures)
