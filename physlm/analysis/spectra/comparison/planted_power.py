"""Power: the probability that a comparison finds the effect planted into the maps."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from physlm.analysis.spectra.comparison.accuracy import mean_interval, resampled_problems
from physlm.analysis.spectra.comparison.arms import Arm
from physlm.analysis.spectra.comparison.controlled import adjusted_effect, why_no_length_control
from physlm.analysis.spectra.comparison.design import control_terms
from physlm.analysis.spectra.comparison.effects import mann_whitney_p
from physlm.analysis.spectra.comparison.groups import Texts, sums_of_problems
from physlm.analysis.spectra.comparison.pairs import Pairs, paired_effects
from physlm.rng import stream

_N_DRAWS = 200
_N_RESAMPLES = 1000  # for the interval of the gain, in each draw


def planted_power(
    planted: Arm | None, untrained: Arm | None, texts: Texts, seed: int
) -> pl.DataFrame:
    """How often the verdict on a metric is favourable when problems are drawn anew.

    Problems are drawn with replacement, and all conditions of the verdict are examined in each
    draw. This is approximate: the planted effect counts as the true one; the predictions, the
    columns that the folds chose, and the p-value below which q is below 0.05 stay as they are.
    Draws add their own noise to each condition, so a moderate power of the whole verdict is
    underestimated, by 0.16 of 0.40 in simulations.

    Args:
        planted: The arm with the planted effect, with q-values; None if it was not measured.
        untrained: The untrained model, which the effect has to exceed.
        texts: Labels, problems and covariates.
        seed: Seed of the draws.

    Returns:
        One row per metric with ``d_controls``, ``nested_gain`` and fractions of draws: ``power`` of
        the whole verdict (null without an untrained arm), ``power_d``, ``power_gain`` and
        ``power_q`` of three of its conditions, and ``power_pairs`` of the paired test at equal
        length, which is blind to likelihood (null without pairs). No rows where there was no
        planted arm or no cross-validation.
    """
    if planted is None or planted.nested.is_empty():
        return pl.DataFrame()
    sample = _Sample.of(planted, untrained, texts)
    rng = stream(seed, "power to find the planted effect")
    times = resampled_problems(texts.n_problems, _N_RESAMPLES, rng)
    holds = np.mean([sample.conditions(times, own) for own in _draws(texts, rng)], axis=0)
    names = ("power", "power_d", "power_gain", "power_q", "power_pairs")
    powers = {name: pl.Series(share) for name, share in zip(names, holds, strict=True)}
    chosen = planted.selected.filter(chosen_for="both").select("metric", "d_controls")
    gains = planted.nested.select("metric", "nested_gain", **powers)
    rows = gains.join(chosen, on="metric", how="left", maintain_order="left")
    if untrained is None:
        rows = rows.with_columns(power=pl.lit(None, pl.Float64))
    if len(sample.pairs.valid) < 2:
        rows = rows.with_columns(power_pairs=pl.lit(None, pl.Float64))
    return rows


def _draws(texts: Texts, rng: np.random.Generator) -> Iterator[Int[np.ndarray, " problems"]]:
    for _ in range(_N_DRAWS):
        yield rng.integers(texts.n_problems, size=texts.n_problems)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Held-out values and predictions of each metric, on the texts that were measured.

    Attributes:
        beyond: Values of the columns that were chosen along with the controls.
        alone: Values of those chosen by AUC.
        untrained: Like ``beyond``, of an untrained model; 0 where a metric is constant there.
        gained: 1 where both are right and the controls are not, -1 the other way round.
        largest_p: The p-value below which q is below 0.05.
        pairs: Pairs of texts within folds.
        texts: The texts.
    """

    beyond: Float[np.ndarray, "texts metrics"]
    alone: Float[np.ndarray, "texts metrics"]
    untrained: Float[np.ndarray, "texts metrics"]
    gained: Float[np.ndarray, "texts metrics"]
    largest_p: float
    pairs: Pairs
    texts: Texts

    @classmethod
    def of(cls, planted: Arm, untrained: Arm | None, texts: Texts) -> "_Sample":
        found = list(planted.predictions.values())
        other = {} if untrained is None else untrained.predictions
        nothing = np.zeros(len(texts.is_valid))
        controls = [
            other[name].held_out["both"] if name in other else nothing
            for name in planted.predictions
        ]
        is_right = {
            model: (np.column_stack([p.logits[model] for p in found]) > 0)
            == texts.is_valid[:, None]
            for model in ("both", "controls")
        }
        return cls(
            beyond=np.column_stack([p.held_out["both"] for p in found]),
            alone=np.column_stack([p.held_out["spectra"] for p in found]),
            untrained=np.column_stack(controls),
            gained=is_right["both"].astype(np.float64) - is_right["controls"],
            largest_p=planted.largest_p,
            pairs=planted.held_out_pairs,
            texts=texts,
        )

    def conditions(
        self, times: Float[np.ndarray, "resamples problems"], drawn: Int[np.ndarray, " problems"]
    ) -> Bool[np.ndarray, "5 metrics"]:
        """Whether the verdict, three conditions and the paired test hold on drawn problems."""
        n_metrics = self.beyond.shape[1]
        index, texts = self._at(drawn)
        if min(texts.n_of_label) < 2:
            return np.zeros((5, n_metrics), dtype=np.bool_)
        both = np.column_stack([self.beyond, self.untrained])[index]
        effect = adjusted_effect(both, texts, control_terms(texts))
        _, low, high = effect[:, :n_metrics]
        size, other = np.split(np.abs(effect[0]), [n_metrics])
        has_length = why_no_length_control(texts) is None
        is_beyond = ((low > 0) | (high < 0)) & has_length
        gain_low, _ = mean_interval(sums_of_problems(self.gained[index], texts), texts, times)
        own = self.beyond[index]
        p = mann_whitney_p(own[texts.is_valid], own[~texts.is_valid])
        conditions = (is_beyond, gain_low > 0, p <= self.largest_p)
        exceeds = size > np.nan_to_num(other)
        verdict = np.logical_and.reduce([*conditions, exceeds])
        paired = paired_effects(self.alone, self._pairs_of(drawn))["wilcoxon_p"]
        return np.stack([verdict, *conditions, paired <= self.largest_p])

    def _at(self, drawn: Int[np.ndarray, " problems"]) -> tuple[np.ndarray, Texts]:
        """The texts of drawn problems; one that is drawn twice is two problems."""
        order = np.argsort(self.texts.problem, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(self.texts.problem))[:-1])
        index = np.concatenate([members[problem] for problem in drawn])
        problem = np.repeat(np.arange(len(drawn)), [len(members[own]) for own in drawn])
        covariates = {name: own[index] for name, own in self.texts.covariates.items()}
        return index, Texts(self.texts.is_valid[index], problem, covariates)

    def _pairs_of(self, drawn: Int[np.ndarray, " problems"]) -> Pairs:
        """The pairs of drawn problems; a pair across problems counts for that of its valid text."""
        count = np.bincount(drawn, minlength=self.texts.n_problems)
        times = count[self.texts.problem[self.pairs.valid]]
        return Pairs(np.repeat(self.pairs.valid, times), np.repeat(self.pairs.invalid, times), 0)
