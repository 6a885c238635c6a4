"""Accuracy of nested predictions, and what the spectra add to the controls."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from physlm.analysis.spectra.comparison.effects import auc
from physlm.analysis.spectra.comparison.groups import Texts, sums_of_problems
from physlm.analysis.spectra.comparison.nested import MODELS, Predictions
from physlm.rng import stream

_N_RESAMPLES = 4000
_ENDS = [0.025, 0.975]


def accuracy_table(predictions: dict[str, Predictions], texts: Texts, seed: int) -> pl.DataFrame:
    """One row per family: accuracy and AUC of each model, and ``nested_gain`` with its interval.

    The gain is the accuracy of ``both`` minus that of ``controls``; the ends of its 95% interval
    are percentiles over resampled problems. ``largest_gain_low`` is the lower end for a model that
    is always right: where it is 0, no gain can be detected.

    Args:
        predictions: Predictions of each family of columns.
        texts: Their labels and problems.
        seed: Seed of the resampling.
    """
    names = list(predictions)
    if not names:
        return pl.DataFrame()
    table = pl.DataFrame({"metric": names})
    is_right = {}
    for model in MODELS:
        logits = np.column_stack([predictions[name].logits[model] for name in names])
        is_right[model] = ((logits > 0) == texts.is_valid[:, None]).astype(np.float64)
        table = table.with_columns(
            pl.Series(f"accuracy_{model}", is_right[model].mean(axis=0)),
            pl.Series(f"auc_{model}", auc(logits, texts.is_valid)),
        )
    gained = is_right["both"] - is_right["controls"]
    both = np.column_stack([gained, 1 - is_right["controls"]])
    times = resampled_problems(texts.n_problems, _N_RESAMPLES, stream(seed, "resampled problems"))
    low, high = mean_interval(sums_of_problems(both, texts), texts, times)
    return table.with_columns(
        nested_gain=pl.Series(gained.mean(axis=0)),
        gain_low=pl.Series(low[: len(names)]),
        gain_high=pl.Series(high[: len(names)]),
        largest_gain_low=pl.Series(low[len(names) :]),
    )


def majority_accuracy(is_valid: Bool[np.ndarray, " texts"]) -> float:
    """Accuracy of predicting the more common label for all texts."""
    return float(max(is_valid.mean(), 1 - is_valid.mean()))


def resampled_problems(
    n_problems: int, n_resamples: int, rng: np.random.Generator
) -> Float[np.ndarray, "resamples problems"]:
    """How often each problem is in each resample."""
    equal = np.full(n_problems, 1 / n_problems)
    return rng.multinomial(n_problems, equal, size=n_resamples).astype(np.float64)


def mean_interval(
    sums: Float[np.ndarray, "problems columns"],
    texts: Texts,
    times: Float[np.ndarray, "resamples problems"],
) -> Float[np.ndarray, "2 columns"]:
    """95% percentile interval of the mean of each column, when problems are resampled.

    Args:
        sums: Sums of each column over the texts of each problem.
        texts: The texts.
        times: Result of ``resampled_problems``.
    """
    n_texts = times @ np.bincount(texts.problem)
    ends: np.ndarray = np.quantile(times @ sums / n_texts[:, None], _ENDS, axis=0)
    return ends
