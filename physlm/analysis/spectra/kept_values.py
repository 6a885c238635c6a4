"""Values of single texts at the chosen layer and head, and accuracy by coverage."""

import numpy as np
import polars as pl

from physlm.analysis.spectra.comparison.arms import ANY
from physlm.analysis.spectra.comparison.coverage import threshold_coverage
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.analysis.spectra.metric_options import COMPANIONS

_KEY = ["metric", "layer", "head"]


def chosen_values(rows: pl.DataFrame, selected: pl.DataFrame) -> pl.DataFrame:
    """Values of each text at the layer and head that most training folds chose, by metric.

    Args:
        rows: The compared rows.
        selected: Table ``selected`` of their comparison; empty without cross-validation.

    Returns:
        Columns ``text``, ``metric``, ``layer``, ``head`` and ``value``, for metrics of whole
        graphs; companions and variants have none.
    """
    own = rows.filter(arm="model").select("text", *_KEY, "value")
    return own.join(_chosen(selected), on=_KEY, how="semi", maintain_order="left")


def coverage_curves(rows: pl.DataFrame, selected: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """Fraction of right texts among those that each metric, and log-probability, accept first.

    Layer, head, direction and threshold are chosen in training folds (``threshold_coverage``).

    Args:
        rows: The compared rows.
        selected: Table ``selected`` of their comparison.
        texts: Their labels, problems and log-probabilities.

    Returns:
        Columns ``metric``, ``coverage``, ``accuracy`` and ``log_probability``, the fraction among
        as many texts of the highest mean log-probability.
    """
    own = rows.filter(arm="model").sort("text", maintain_order=True)
    curves = []
    for name in _chosen(selected)["metric"]:
        values = own.filter(metric=name)["value"].to_numpy().reshape(len(texts.is_valid), -1)
        is_varying = np.ptp(values, axis=0) > 0
        curve = threshold_coverage(values[:, is_varying], texts).curve
        curves.append(curve.select(pl.lit(name).alias("metric"), "coverage", _ACCURACY, _LIKELY))
    return pl.concat(curves) if curves else pl.DataFrame(schema=_CURVE)


_ACCURACY, _LIKELY = pl.col("metric").alias("accuracy"), pl.col("log_probability")
_CURVE = {
    "metric": pl.String,
    "coverage": pl.Float64,
    "accuracy": pl.Float64,
    "log_probability": pl.Float64,
}


def _chosen(selected: pl.DataFrame) -> pl.DataFrame:
    """Metric, layer and head of each choice."""
    if selected.is_empty():
        return pl.DataFrame(schema={"metric": pl.String, "layer": pl.Int64, "head": pl.Int64})
    is_plain = ~pl.col("metric").str.contains("/") & ~pl.col("metric").is_in([ANY, *COMPANIONS])
    return selected.filter(is_plain, arm="model", chosen_for="spectra").select(_KEY)
