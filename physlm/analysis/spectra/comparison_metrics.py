"""A comparison of right and wrong texts as metrics of a record."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from physlm.analysis.spectra.comparison.arms import ANY
from physlm.analysis.spectra.comparison.compared import Comparison
from physlm.analysis.spectra.comparison.verdict import Outcome
from physlm.analysis.spectra.metric_options import COMPANIONS
from physlm.measurement import Dim, Metric

_P = "spectra"
_UNITS = {
    "d_raw": "sd",
    "d_paired": "sd",
    "auc": "fraction",
    "d_length": "sd",
    "d_controls": "sd",
    "q": "q",
}
# Published accuracy of a single threshold, and the least gain over the controls that counts;
# accuracy_and_gain is the margin by which both are exceeded.
_PUBLISHED, _LEAST_GAIN = 0.85, 0.02
_ACCURACIES = ("length", "controls", "spectra", "both")


def comparison_metrics(compared: Comparison, **dims: Dim) -> Iterator[Metric]:
    """Effects, accuracies and verdicts of a comparison.

    Args:
        compared: The comparison.
        dims: Dimensions of all metrics, such as the corruption.
    """
    n_texts = len(compared.texts.is_valid)
    yield from _of_arms(compared, n_texts, dims)
    yield from _of_nested(compared, n_texts, dims)
    yield from _baselines(compared, n_texts, dims)
    yield from _whole(compared, n_texts, dims)


def dims_of(metric: str) -> dict[str, Dim]:
    """Metric and its dimensions, from a name such as ``hfer/drop_first_1``."""
    base, *parts = metric.split("/")
    split = [part.rpartition("_") for part in parts]
    return {"metric": base} | {name: _number(value) for name, _, value in split}


def _number(text: str) -> Dim:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value == int(value) else value


def _of_arms(compared: Comparison, n: int, dims: dict[str, Dim]) -> Iterator[Metric]:
    """Effects on held-out texts, of the column that the training folds chose."""
    if compared.selected.is_empty():
        return
    for row in compared.selected.iter_rows(named=True):
        is_alone, is_model = row["chosen_for"] == "spectra", row["arm"] == "model"
        own = dims | dims_of(row["metric"]) | ({} if is_model else {"arm": row["arm"]})
        for name in _recorded(row["metric"], is_alone=is_alone, is_model=is_model):
            yield from _metric(name, row[name], _UNITS[name], n, own)
        if is_alone and row["d_paired"] is not None:
            yield from _metric("effect", abs(row["d_paired"]), "sd", n, own)


def _recorded(metric: str, *, is_alone: bool, is_model: bool) -> tuple[str, ...]:
    """The numbers of a metric that a record keeps; the table of the run has all."""
    is_variant, is_companion = "/" in metric, metric.partition("/")[0] in COMPANIONS
    if is_alone:
        return (
            ("auc",) if is_variant or is_companion or not is_model else ("auc", "d_raw", "d_paired")
        )
    if is_variant or is_companion:
        return ()
    return ("d_length", "d_controls", "q") if is_model else ("d_length",)


def _of_nested(compared: Comparison, n: int, dims: dict[str, Dim]) -> Iterator[Metric]:
    if compared.nested.is_empty():
        return
    nested = compared.nested.filter(arm="model")
    aucs = dict(nested.select("metric", "auc_spectra").iter_rows())
    for row in nested.iter_rows(named=True):
        if row["metric"].partition("/")[0] in COMPANIONS:
            continue
        own = dims | dims_of(row["metric"])
        yield from _metric("nested_accuracy", row["accuracy_spectra"], "fraction", n, own)
        yield from _metric("nested_auc", row["auc_spectra"], "fraction", n, own)
        yield from _metric("nested_gain", row["nested_gain"], "fraction", n, own)
        margin = min(row["accuracy_spectra"] - _PUBLISHED, row["nested_gain"] - _LEAST_GAIN)
        yield from _metric("accuracy_and_gain", margin, "fraction", n, own)
        if (mean_graph := aucs.get(f"{row['metric']}/graph_mean")) is not None:
            apart = row["auc_spectra"] - mean_graph
            yield from _metric("heads_minus_mean_auc", apart, "fraction", n, own)
        if row["metric"] == ANY:
            for model in _ACCURACIES:
                own = dims | {"model": model}
                accuracy = row[f"accuracy_{model}"]
                yield from _metric("accuracy", accuracy, "fraction", n, own)


def _baselines(compared: Comparison, n: int, dims: dict[str, Dim]) -> Iterator[Metric]:
    for row in compared.baselines.iter_rows(named=True):
        own = dims | {"covariate": row["metric"]}
        for name in ("auc", "d_paired"):
            unit = "fraction" if name == "auc" else "sd"
            yield from _metric(f"baseline_{name}", row[name], unit, n, own)


def _whole(compared: Comparison, n: int, dims: dict[str, Dim]) -> Iterator[Metric]:
    yield from _metric("n_tests", compared.n_tests, "tests", n, dims)
    detectable = compared.smallest_detectable_d
    yield from _metric("smallest_detectable_d", detectable, "sd", n, dims)
    for metric, verdict in compared.verdicts.items():
        is_beyond = float(verdict.outcome is Outcome.beyond)
        is_decided = float(verdict.outcome is not Outcome.not_decided)
        yield from _metric("is_beyond", is_beyond, "verdict", n, dims | dims_of(metric))
        yield from _metric("is_decided", is_decided, "verdict", n, dims | dims_of(metric))
    if not compared.planted.is_empty():
        for row in compared.planted.filter(pl.col("metric") == ANY).iter_rows(named=True):
            own = dims | dims_of(row["metric"])
            for name in ("power", "power_pairs"):
                yield from _metric(f"planted_{name}", row[name], "fraction", n, own)
    yield from _untrained(compared, n, dims)


def _untrained(compared: Comparison, n: int, dims: dict[str, Dim]) -> Iterator[Metric]:
    """The effect at equal length of the best column of an untrained model, on held-out texts.

    The largest of hundreds of columns would be large by chance, and their median small whatever
    some of them show.
    """
    if compared.selected.is_empty():
        return
    best = compared.selected.filter(arm="untrained", metric=ANY, chosen_for="spectra")
    for effect in best["d_length"].drop_nulls().abs():
        yield from _metric("untrained_d_length", effect, "sd", n, dims)


def _metric(
    name: str, value: float | None, unit: str, n: int, dims: dict[str, Dim]
) -> Iterator[Metric]:
    if value is not None and np.isfinite(value):
        yield Metric(name=f"{_P}/{name}", value=value, unit=unit, n=n, dims=dims)
