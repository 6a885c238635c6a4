"""The capacity law that is fitted to the committed results of this repository."""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import ClassVar, NamedTuple

from physlm.report.planner.amounts import amount, counted
from physlm.report.planner.case import FULL_PRECISION, Case, Mlp, Setting, Stored
from physlm.report.planner.curve import Curve, Share
from physlm.report.planner.law import Check, Law, Load, Ranges

# Parameters at which the exposures of the law are stated, within the measured ones.
REFERENCE = 20_000.0

_Z = 1.6449  # of the 90% interval of a normal error
_FORMAT = (
    "texts of bioD in a fixed order; models of bioS in redrawn texts stored a third as much "
    "(capacity_augmentation)"
)
_MOST_APART = 3.0  # logarithms of loads, where a draw of configurations gives none at all


class Fit(NamedTuple):
    """The fitted values of the law.

    Attributes:
        capacity: Bits per parameter that a model could store, in the limit of many exposures.
        onset_exposures: Exposures up to which a model of 20 thousand parameters stores nothing.
        half_exposures: Further exposures after which it could store half of the limit.
        size_power: Exponent with which both decrease in the number of parameters.
        steepness: Exponent of the exposures, while they are few.
        sharpness: How abruptly a model fills up; larger is more abrupt.
    """

    capacity: float
    onset_exposures: float
    half_exposures: float
    size_power: float
    steepness: float
    sharpness: float

    def log_load(self, bits: float, parameters: float, exposures: float) -> float:
        """Logarithm of the bits that a model could store over those of its world."""
        return self.log_size(bits, parameters) + self.log_exposed(parameters, exposures)

    def log_size(self, bits: float, parameters: float) -> float:
        """Logarithm of the load in the limit of many exposures."""
        return math.log(self.capacity * parameters / bits)

    def log_exposed(self, parameters: float, exposures: float) -> float:
        """Logarithm of the exposure term, at most 0; larger models need fewer exposures."""
        fewer = (parameters / REFERENCE) ** -self.size_power
        left = exposures - self.onset_exposures * fewer
        if left <= 0:
            return -math.inf
        return -math.log1p((self.half_exposures * fewer / left) ** self.steepness)

    def fraction(self, load: float) -> float:
        """The fraction of a world that is stored at a load."""
        if load == 0:
            return 0.0
        # As a logarithm, since powers of the load overflow.
        emptiness = -self.sharpness * math.log(load)
        log = max(emptiness, 0.0) + math.log1p(math.exp(-abs(emptiness)))
        return math.exp(-log / self.sharpness)

    def load(self, fraction: float) -> float:
        """The load at which a fraction is stored, between 0 and 1."""
        return float(fraction / (1 - fraction**self.sharpness) ** (1 / self.sharpness))


class Anchored(NamedTuple):
    """The exposure term of the load in another setting, measured at one size of model.

    Attributes:
        curve: The exposure term by exposures, in place of ``Fit.log_exposed``.
        parameters: Parameters of the measured models.
        spread: Standard deviation of the logarithm of the term.
    """

    curve: Curve
    parameters: float
    spread: float

    def log_exposed(self, fit: Fit, parameters: float, exposures: float) -> float:
        """Logarithm of the term for a model of any size, whose lead is constant in exposures."""
        return self.curve.log_at(exposures) + self.lead(fit, parameters)

    def lead(self, fit: Fit, parameters: float) -> float:
        """How far the term of a model of another size is ahead after the fewest exposures."""
        fewest = self.curve.ends[0]
        return fit.log_exposed(parameters, fewest) - fit.log_exposed(self.parameters, fewest)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLaw(Law):
    """The fraction of its world that a model stores, by parameters, bits and exposures.

    For P parameters, a world of W bits and E exposures, the load is C P/W / (1 + (H/(E-O))^h),
    where the onset O and the half H shrink with P as P^-s, and the stored fraction is
    load / (1 + load^k)^(1/k). The logarithm of the load of a new run has a normal error, from the
    spread of runs around the law and that of its fitted values.

    Attributes:
        fit: Fitted values.
        resampled: Fitted values of bootstrap samples of the configurations.
        spread: Standard deviation of the logarithm of a run's load.
        full_spread: That of the logarithm of the fraction that a full model stores, which hardly
            depends on the load.
        junk: Exposure term with the most junk that was measured, without and with domain tokens.
        junk_share: The harm of less junk over that of the most.
        mlps: Exposure terms of MLPs other than the plain one.
        log_weights: Logarithm of the factor of quantisation on the load, and its spread, by bits of
            a weight; -inf if nothing is left.
        weights_exposures: Exposures after which quantisation was measured.
        among_frequent: Exposures and the stored fraction of values, of facts in one world that are
            seen more and less often; below 0 where the model is confidently wrong.
        recipe: Steps of training by exposures, without junk, and for each exposure, with junk.
        runs: Number of runs that it is fitted to, and of their configurations.
        experiments: Experiments that it is fitted to.
        checks: Errors of its predictions of new runs, without junk and with it.
    """

    name: ClassVar[str] = "measured"
    # 22 tokens are about a person of 6 facts: 3 of the name, and an end.
    tokens_per_fact: ClassVar[float] = 22 / 6
    has_least_steps: ClassVar[bool] = False

    fit: Fit
    resampled: tuple[Fit, ...]
    spread: float
    full_spread: float
    junk: Mapping[bool, Anchored]
    junk_share: Share
    mlps: Mapping[Mlp, Anchored]
    log_weights: Mapping[int, tuple[float, float]]
    weights_exposures: float
    among_frequent: tuple[tuple[float, float], ...]
    recipe: tuple[Curve, float]
    runs: tuple[int, int]
    experiments: tuple[str, ...]
    checks: Mapping[bool, Check]

    def stored(self, case: Case) -> Stored:
        """The fraction of the world's bits that the model stores."""
        value, low, high = astuple(Law.stored(self, case))
        wider = math.exp(_Z * self.full_spread)
        return Stored(value, low / wider, min(high * wider, 1.0))

    def load(self, case: Case) -> Load:
        """Bits that the model could store over the bits of the world, with a 90% interval."""
        middle = self.fit.log_size(case.bits, case.parameters) + self._log_exposed(case)
        middle += self.log_weights[case.setting.weight_bits][0]
        if middle == -math.inf:
            return Load(log_value=middle, log_low=middle, log_high=middle)
        variance = self.spread**2 + self._variance_of_fit(case) + self._variance(case.setting)
        half = _Z * math.sqrt(variance)
        return Load(log_value=middle, log_low=middle - half, log_high=middle + half)

    def fraction(self, load: float) -> float:
        """All of a world at a large load, and the load itself at a small one."""
        return self.fit.fraction(load)

    def _log_exposed(self, case: Case) -> float:
        """Logarithm of the exposure term, among junk and with any MLP."""
        setting, size = case.setting, (case.parameters, case.exposures)
        if setting.junk_fraction > 0:
            return self._among_junk(setting, *size)
        if setting.mlp != Mlp.plain:
            return self.mlps[setting.mlp].log_exposed(self.fit, *size)
        return self.fit.log_exposed(*size)

    def _among_junk(self, setting: Setting, parameters: float, exposures: float) -> float:
        """The exposure term among junk: at most ``Fit.log_exposed``, and rising with exposures."""
        share = self.junk_share.at(setting.junk_fraction)
        clean = self.fit.log_exposed(parameters, exposures)
        if clean == -math.inf:
            return clean
        most = self.junk[setting.has_domain_token].log_exposed(self.fit, parameters, exposures)
        return min((1 - share) * clean + share * most, clean)

    def _variance_of_fit(self, case: Case) -> float:
        """Variance of the log-load of a plain model without junk, over bootstrap samples."""
        size = (case.bits, case.parameters, case.exposures)
        plain = self.fit.log_load(*size)
        if plain == -math.inf or not self.resampled:
            return 0.0
        apart = [min(abs(fit.log_load(*size) - plain), _MOST_APART) for fit in self.resampled]
        return sum(one**2 for one in apart) / len(apart)

    def _variance(self, setting: Setting) -> float:
        """Variance of the logarithm of a setting's factor on the load."""
        found = self.log_weights[setting.weight_bits][1] ** 2
        if setting.mlp != Mlp.plain:
            found += self.mlps[setting.mlp].spread ** 2
        if setting.junk_fraction > 0:
            share = self.junk_share.at(setting.junk_fraction)
            found += (share * self.junk[setting.has_domain_token].spread) ** 2
        return found

    def sources(self, setting: Setting) -> list[str]:
        """The experiments that the law and what it says about a setting come from."""
        n_runs, n_configurations = self.runs
        found = [
            f"{n_runs} runs of {n_configurations} configurations in experiments/: "
            f"{', '.join(self.experiments)}",
            _FORMAT,
            self._checked(setting),
        ]
        if setting.junk_fraction > 0:
            own = ["capacity_junk", *["capacity_domain_token"] * setting.has_domain_token]
            found.append(f"junk at one size, 27 thousand parameters: {', '.join(own)}")
        if setting.weight_bits != FULL_PRECISION:
            found.append("rounding to nearest, at one size: capacity_quantised")
        if setting.mlp != Mlp.plain:
            names = {Mlp.gated: "capacity_gated_mlp", Mlp.moe: "capacity_moe"}
            found.append(f"{setting.mlp.value} MLP at one size: {names[setting.mlp]}")
        return found

    def check(self, setting: Setting) -> Check:
        """Errors of predictions of new runs, those with or without junk as in the setting."""
        return self.checks[setting.junk_fraction > 0]

    def _checked(self, setting: Setting) -> str:
        """How well the law predicted new runs, in words."""
        check, junk = self.check(setting), "with" if setting.junk_fraction > 0 else "without"
        return (
            f"{check.runs} new runs {junk} junk were off its predictions by {check.mean_error:.0%} "
            f"on average, by a factor of {check.largest_factor:.2g} at most (planner)"
        )

    def varied(self, setting: Setting) -> dict[str, Ranges]:
        """Ranges of exposures in another setting than the plain one, and of fractions of junk.

        With domain tokens, and between the two largest fractions, new runs were far from the
        interpolation, so that only measured values are in range.
        """
        if setting.mlp != Mlp.plain:
            return {"exposures": (self.mlps[setting.mlp].curve.ends,)}
        if setting.weight_bits != FULL_PRECISION:
            return {"exposures": ((self.weights_exposures,) * 2,)}
        if not setting.junk_fraction:
            return {}
        *_, (less, _), (most, _) = self.junk_share.points
        curve = self.junk[setting.has_domain_token].curve
        measured = tuple((exposures, exposures) for exposures, _ in curve.points)
        return {
            "exposures": measured if setting.has_domain_token else (curve.ends,),
            "junk": ((0.0, less), (most, most)),
        }

    def evidence(self, exposures: float) -> str:
        """What was stored of facts with about as many exposures among more frequent ones."""
        seen, fraction = min(
            self.among_frequent, key=lambda point: abs(math.log(max(exposures, 1) / point[0]))
        )
        most = self.among_frequent[-1][0]
        stored = "nothing" if fraction <= 0 else f"{fraction:.0%}"
        return (
            f"a model of 27,424 parameters stored {stored} of facts seen {counted(seen, 'times')} "
            f"among others seen up to {amount(most)} times (capacity_exposures)"
        )

    def steps(self, case: Case) -> float:
        """Steps of the runs with as many exposures, whatever their number of people."""
        curve, each = self.recipe
        if case.setting.junk_fraction > 0:
            return each * case.exposures
        return math.exp(curve.log_at(case.exposures))
