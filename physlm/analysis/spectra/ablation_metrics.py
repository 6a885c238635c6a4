"""Everything that the scorer ``spectral_ablation`` measures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from physlm.analysis.spectra.comparison.pairs import Pairs, paired_effects
from physlm.analysis.spectra.head_roles import Heads, head_roles, role_correlations, role_table
from physlm.analysis.spectra.text_columns import Columns, chosen_column, half, text_columns
from physlm.analysis.spectra.text_covariates import text_covariates
from physlm.data.corpus import Corpus
from physlm.data.labelled import Labelled, LabelledTexts
from physlm.errors import InputError
from physlm.eval.scorer import mean
from physlm.measurement import Dim, Measurement, Metric
from physlm.models.language_model import LanguageModel
from physlm.models.transformer import without_heads
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.analysis.spectra.spectral_ablation import SpectralAblationConfig

_P = "ablation"
_ABLATED = ("induction", "previous_token")  # roles whose strongest heads are ablated
_RANDOM = "random"

HeadList = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A model, ablated or not.

    Attributes:
        columns: Spectral metrics of the texts.
        losses: Mean loss of each right text, in nats per token.
    """

    columns: Columns
    losses: Float[np.ndarray, " right"]


def measured_ablation(
    config: "SpectralAblationConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``spectral_ablation``."""
    assert isinstance(corpus, Labelled)
    corruption = config.corruption or corpus.corruptions[0]
    texts = corpus.labelled(config.n_problems, corruption, config.n_errors)
    roles = head_roles(model, corpus, int(texts.n_tokens.max()))
    pairs, is_fitting = pairs_of(texts), half(config.n_problems, "ablation")
    whole = _measured(config, model, texts)
    effects = Effects(whole.columns, pairs, is_fitting)
    metrics = [*effects.of(whole.columns, "none"), mean(f"{_P}/loss_nats", whole.losses, "nats")]
    ablated = ablations(roles, config.n_ablated, config.n_draws)
    for name, sets in ablated.items():
        found = [_measured(config, without_heads(model, heads), texts) for heads in sets]
        metrics += effects.of_sets([one.columns for one in found], name)
        rises = np.mean([one.losses - whole.losses for one in found], axis=0)
        metrics.append(mean(f"{_P}/loss_rise", rises, "nats", ablated=name))
    spectral = _of_heads(whole.columns, texts.is_valid, next(iter(roles.values())).shape)
    metrics += role_correlations(roles, spectral)
    tables = {"head_roles": role_table(roles, spectral), "ablated_heads": _table(ablated)}
    return Measurement(tuple(metrics), tables=tables)


def ablations(roles: dict[str, Heads], n_ablated: int, n_draws: int) -> dict[str, list[HeadList]]:
    """Sets of heads to ablate: the strongest of each role, and random ones.

    Args:
        roles: Scores of each head.
        n_ablated: Heads of a set.
        n_draws: Random sets, none with a head that is among the strongest of induction.
    """
    n_layers, n_heads = roles["induction"].shape
    every = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    found = {}
    for role in _ABLATED:
        order = np.argsort(-roles[role].ravel(), kind="stable")
        found[role] = [[every[i] for i in order[:n_ablated]]]
    others = [head for head in every if head not in found["induction"][0]]
    rng = stream(0, "spectra", "ablation")
    found[_RANDOM] = [
        sorted(others[i] for i in rng.permutation(len(others))[:n_ablated]) for _ in range(n_draws)
    ]
    return found


def pairs_of(texts: LabelledTexts) -> Pairs:
    """The right and the wrong text of each problem.

    Raises:
        InputError: If a problem does not have exactly one of each.
    """
    order = np.lexsort((~texts.is_valid, texts.problem))
    is_paired = len(texts) % 2 == 0 and np.array_equal(
        texts.is_valid[order], np.tile([True, False], len(texts) // 2)
    )
    if not is_paired or len(np.unique(texts.problem)) != len(texts) // 2:
        raise InputError(
            "eval=spectral_ablation compares pairs: each problem needs one right text and one "
            "wrong one; use data=sums, igsm, brackets, cfg or bios"
        )
    return Pairs(order[::2], order[1::2], len(texts) // 2)


class Effects:
    """Effects within pairs, of columns that were chosen on some of them.

    A column and its direction are those of the largest effect on the fitting pairs; the effect is
    measured on the others.

    Args:
        whole: Columns of the model that is not ablated.
        pairs: The right and the wrong text of each problem.
        is_fitting: Whether columns are chosen on a pair.
    """

    def __init__(
        self, whole: Columns, pairs: Pairs, is_fitting: Bool[np.ndarray, " pairs"]
    ) -> None:
        self._fitting = Pairs(pairs.valid[is_fitting], pairs.invalid[is_fitting], 0)
        self._tested = Pairs(pairs.valid[~is_fitting], pairs.invalid[~is_fitting], 0)
        self._chosen = {name: self._choose(whole, name) for name in whole.metrics}
        self._before = {name: self._effect(whole, *self._chosen[name]) for name in whole.metrics}

    def of(self, columns: Columns, ablated: str) -> Iterator[Metric]:
        """Effects of the whole model."""
        for metric in self._chosen:
            effect = self._effect(columns, *self._chosen[metric])
            yield self._metric("effect", effect, "sd", ablated=ablated, metric=metric)

    def of_sets(self, found: Sequence[Columns], ablated: str) -> Iterator[Metric]:
        """Effects after ablation, and their ratio to the effect before; means over sets of heads.

        ``column=same`` is the column of the whole model, ``column=anew`` one that is chosen in each
        ablated model.
        """
        for metric, before in self._before.items():
            for column in ("same", "anew"):
                dims: dict[str, Dim] = {"ablated": ablated, "metric": metric, "column": column}
                after = np.array([self._after(one, metric, column) for one in found])
                yield self._mean("effect", after, "sd", dims)
                if before:
                    yield self._mean("ratio", np.abs(after / before), "ratio", dims)

    def _after(self, columns: Columns, metric: str, column: str) -> float:
        is_same = column == "same"
        key, sign = self._chosen[metric] if is_same else self._choose(columns, metric)
        return self._effect(columns, key, sign)

    def _choose(self, columns: Columns, metric: str) -> tuple[tuple[int, int, str], int]:
        def quality(scores: Float[np.ndarray, "scores texts"]) -> Float[np.ndarray, " scores"]:
            return np.nan_to_num(paired_effects(scores.T, self._fitting)["d_paired"])

        choice = chosen_column(columns.of_metric(metric), quality)
        return choice.key, choice.sign

    def _effect(self, columns: Columns, key: tuple[int, int, str], sign: int) -> float:
        """The effect in a column; 0 where all texts have one value, as without upstream heads."""
        values = columns.values[columns.keys.index(key)][:, None]
        return sign * float(np.nan_to_num(paired_effects(values, self._tested)["d_paired"])[0])

    def _mean(
        self, name: str, values: Float[np.ndarray, " sets"], unit: str, dims: dict[str, Dim]
    ) -> Metric:
        if len(values) == 1:
            return self._metric(name, float(values[0]), unit, **dims)
        own = {**dims, "metric": str(dims["metric"]).split("/")[0]}
        return mean(f"{_P}/{name}", values, unit, **own)

    def _metric(self, name: str, value: float, unit: str, **dims: Dim) -> Metric:
        own = {**dims, "metric": str(dims["metric"]).split("/")[0]}
        n = len(self._tested.valid)
        return Metric(name=f"{_P}/{name}", value=value, unit=unit, n=n, dims=own)


def _measured(
    config: "SpectralAblationConfig", model: LanguageModel, texts: LabelledTexts
) -> Measured:
    covariates = text_covariates(model, texts, config.batch_size)
    losses = -covariates["mean_log_probability"].to_numpy()[texts.is_valid]
    return Measured(text_columns(model, texts, config.metrics, config.batch_size), losses)


def _of_heads(
    columns: Columns, is_valid: Bool[np.ndarray, " texts"], shape: tuple[int, ...]
) -> dict[str, Heads]:
    """Means of each metric over right texts, for metrics that every head has."""
    means = columns.values[:, is_valid].mean(axis=1)
    found = {}
    for metric in columns.metrics:
        own = {
            key[:2]: value
            for key, value in zip(columns.keys, means, strict=True)
            if key[2] == metric
        }
        if len(own) == np.prod(shape):
            found[metric] = np.array([own[at] for at in np.ndindex(shape)]).reshape(shape)
    return found


def _table(ablated: dict[str, list[HeadList]]) -> pl.DataFrame:
    """One row per ablated head."""
    rows = [
        {"ablated": name, "draw": draw, "layer": layer, "head": head}
        for name, sets in ablated.items()
        for draw, heads in enumerate(sets)
        for layer, head in heads
    ]
    return pl.DataFrame(rows)
