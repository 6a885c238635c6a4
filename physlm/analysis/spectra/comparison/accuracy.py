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
    are percentiles over resampled problems.

    Args:
        predictions: Of each family of columns.
        texts: Their labels and problems.
        seed: Of the resampling.
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
    low, high = _interval(gained, texts, stream(seed, "resampled problems"))
    return table.with_columns(
        nested_gain=pl.Series(gained.mean(axis=0)),
        gain_low=pl.Series(low),
        gain_high=pl.Series(high),
    )


def majority_accuracy(is_valid: Bool[np.ndarray, " texts"]) -> float:
    """Accuracy of calling all texts what most are."""
    return float(max(is_valid.mean(), 1 - is_valid.mean()))


def _interval(
    values: Float[np.ndarray, "texts columns"], texts: Texts, rng: np.random.Generator
) -> Float[np.ndarray, "2 columns"]:
    """95% percentile interval of the mean of each column, when problems are resampled."""
    total = sums_of_problems(values, texts)
    n_problems = len(total)
    equal = np.full(n_problems, 1 / n_problems)
    times = rng.multinomial(n_problems, equal, size=_N_RESAMPLES).astype(np.float64)
    n_texts = times @ np.bincount(texts.problem)
    ends: np.ndarray = np.quantile(times @ total / n_texts[:, None], _ENDS, axis=0)
    return ends
