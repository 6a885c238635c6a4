"""Everything measured in one arm: all columns, those chosen in training folds, predictions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from physlm.analysis.spectra.comparison.accuracy import accuracy_table
from physlm.analysis.spectra.comparison.controlled import controlled_effects
from physlm.analysis.spectra.comparison.effects import (
    Statistics,
    best_threshold_accuracy,
    length_correlation,
    raw_effects,
)
from physlm.analysis.spectra.comparison.folds import grouped_folds, why_not_validated
from physlm.analysis.spectra.comparison.groups import Columns, Texts, is_constant
from physlm.analysis.spectra.comparison.nested import CHOOSING, Predictions, nested_predictions
from physlm.analysis.spectra.comparison.pairs import Pairs, matched_pairs, paired_effects
from physlm.analysis.spectra.metric_options import COMPANIONS
from physlm.rng import stream

ANY = "any"  # the family of all spectral metrics
_N_OUTER = 5


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """The comparison within one arm.

    Attributes:
        columns: One row per layer, head and metric.
        selected: One row per metric and per model that chooses (``chosen_for``): statistics of the
            column that the training folds chose, on test texts only.
        nested: One row per metric; no rows if there was no cross-validation.
        predictions: Predictions of the nested models for each text, by metric.
        pairs: The matched pairs of ``columns``.
        held_out_pairs: Those of ``selected``, matched within folds.
        not_validated: Why there was no cross-validation; None if there was.
        n_tests: Number of p-values that the q-values correct for; 0 before ``with_q``.
        largest_p: The p-value below which q is below 0.05, given the number of discoveries; 0
            before ``with_q``.
    """

    columns: pl.DataFrame
    selected: pl.DataFrame
    nested: pl.DataFrame
    predictions: Mapping[str, Predictions]
    pairs: Pairs
    held_out_pairs: Pairs
    not_validated: str | None
    n_tests: int = 0
    largest_p: float = 0.0


def compare_arm(columns: Columns, texts: Texts, seed: int) -> Arm:
    """All statistics of one arm but its q-values; see ``compare_groups``."""
    pairs = matched_pairs(texts)
    table = columns.keys.with_columns(statistics(columns.values, texts, pairs))
    folds = grouped_folds(texts, _N_OUTER, stream(seed, "outer folds"))
    varying = columns.where(~columns.is_constant)
    families = _families(varying.keys)
    why_not = why_not_validated(texts, folds)
    predictions: dict[str, Predictions] = {}
    if why_not is None:
        predictions = nested_predictions(varying.values, texts, families, folds, seed=seed)
    held_out_pairs = matched_pairs(texts, folds)
    selected = _selected(predictions, varying.keys, texts, held_out_pairs)
    nested = accuracy_table(predictions, texts, seed)
    return Arm(table, selected, nested, predictions, pairs, held_out_pairs, why_not)


def statistics(
    values: Float[np.ndarray, "texts columns"], texts: Texts, pairs: Pairs
) -> pl.DataFrame:
    """Raw, controlled and paired effects of each column; null where one is undefined.

    Those of a column that is constant up to float32 rounding are null.
    """
    varies = ~is_constant(values)
    own = values[:, varies]
    found: Statistics = raw_effects(own, texts.is_valid)
    found["spearman_length"] = length_correlation(own, texts.n_tokens)
    found |= controlled_effects(own, texts)
    found |= paired_effects(own, pairs)
    found["best_threshold_accuracy"] = best_threshold_accuracy(own, texts.is_valid)
    whole = {}
    for name, numbers in found.items():
        whole[name] = np.full(len(varies), np.nan)
        whole[name][varies] = numbers
    n_valid, n_invalid = texts.n_of_label
    counts = {"n_valid": pl.lit(n_valid), "n_invalid": pl.lit(n_invalid)}
    return (
        pl.DataFrame(whole).fill_nan(None).with_columns(**counts, n_pairs=pl.lit(len(pairs.valid)))
    )


def _families(keys: pl.DataFrame) -> dict[str, Int[np.ndarray, " _own"]]:
    """The columns of each metric, and those of all spectral metrics together."""
    metric = keys["metric"].to_numpy()
    families = {str(name): np.flatnonzero(metric == name) for name in dict.fromkeys(metric)}
    spectral = np.flatnonzero(~np.isin(metric, COMPANIONS))
    return families | ({ANY: spectral} if len(spectral) else {})


def _selected(
    predictions: dict[str, Predictions], keys: pl.DataFrame, texts: Texts, pairs: Pairs
) -> pl.DataFrame:
    """Statistics of the held-out values of each family, and what was chosen most often."""
    chosen = [(name, model) for name in predictions for model in CHOOSING]
    if not chosen:
        return pl.DataFrame()
    values = np.column_stack([predictions[name].held_out[model] for name, model in chosen])
    rows = []
    for name, model in chosen:
        columns = predictions[name].chosen[model]
        most = int(np.bincount(columns).argmax())
        layer, head, metric = keys.row(most)
        times = int(np.sum(columns == most))
        rows.append((name, model, metric, layer, head, times, len(columns)))
    names = ["metric", "chosen_for", "chosen_metric", "layer", "head", "n_chosen", "n_folds"]
    found = pl.DataFrame(rows, schema=names, orient="row")
    return found.with_columns(statistics(values, texts, pairs))
