"""Metrics and the table of probes' predictions."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from physlm.analysis.igsm.probe_predictions import TRAINED, Predicted
from physlm.analysis.igsm.probe_scores import (
    Counts,
    Statistic,
    accuracy,
    confusion,
    majority,
    matthews,
    over_problems,
)
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.measurement import Dim, Metric

MAX_DISTANCE = 8  # of a parameter from the question


def probe_metrics(predicted: Sequence[Predicted], n_layers: int) -> Iterator[Metric]:
    """The scores of all tasks at the last state, and those of ``nece`` by state and distance.

    Args:
        predicted: All predictions.
        n_layers: Number of the last state.
    """
    last = [own for own in predicted if own.layer == n_layers]
    for own in last:
        dims: dict[str, Dim] = {"task": own.task.value, "model": own.model, "set": own.set}
        yield from _scores("", _counts(own), dims)
        for group, counts in _by_group(own):
            yield _metric("class_accuracy", accuracy, counts, dims | {"class": group})
    for trained in (own for own in last if own.model == TRAINED):
        yield from _majorities(trained)
        same = [own for own in last if (own.task, own.set) == (trained.task, trained.set)]
        for control in (own for own in same if own is not trained):
            yield from _compared(trained, control)
    for own in predicted:
        if own.task is ProbeTask.nece and (own.model == TRAINED or own.layer == n_layers):
            yield from _layer_metrics(own)


def prediction_table(predicted: Sequence[Predicted]) -> pl.DataFrame:
    """One row for each prediction; ``distance`` is null if the question does not need it."""
    return pl.concat([_rows(own) for own in predicted])


def _scores(prefix: str, counts: Counts, dims: dict[str, Dim]) -> Iterator[Metric]:
    yield _metric(f"{prefix}accuracy", accuracy, counts, dims)
    if _has_classes(counts):
        yield _metric(f"{prefix}matthews", matthews, counts, dims)


def _majorities(own: Predicted) -> Iterator[Metric]:
    """The accuracy of the most common class, overall and in each group of several."""
    dims: dict[str, Dim] = {"task": own.task.value, "set": own.set}
    yield _metric("majority", majority, _counts(own), dims)
    for group, counts in _by_group(own):
        if len(own.task.groups[group]) > 1:
            yield _metric("majority", majority, counts, dims | {"class": group})


def _compared(trained: Predicted, control: Predicted) -> Iterator[Metric]:
    """Gains over a control on the same queries."""
    dims: dict[str, Dim] = {"task": trained.task.value, "set": trained.set, "over": control.model}
    pair = (_counts(trained), _counts(control))
    yield _metric("gain", accuracy, pair[0], dims, minus=pair[1])
    if _has_classes(pair[0]):
        yield _metric("matthews_gain", matthews, pair[0], dims, minus=pair[1])
    for (group, own), (_, other) in zip(_by_group(trained), _by_group(control), strict=True):
        if len(trained.task.groups[group]) > 1:
            yield _metric("gain", accuracy, own, dims | {"class": group}, minus=other)


def _layer_metrics(own: Predicted) -> Iterator[Metric]:
    """Accuracy of ``nece`` at one state, overall, by class, and by distance from the question."""
    dims: dict[str, Dim] = {"model": own.model, "set": own.set, "layer": own.layer}
    yield from _scores("layer_", _counts(own), dims)
    for group, counts in _by_group(own):
        yield _metric("layer_class_accuracy", accuracy, counts, dims | {"class": group})
    for distance in range(1, MAX_DISTANCE + 1):
        is_chosen = own.queries.distances == distance
        if is_chosen.any():
            counts = _counts(own, is_chosen)
            yield _metric("distance_accuracy", accuracy, counts, dims | {"distance": distance})


def _counts(own: Predicted, which: np.ndarray | None = None) -> Counts:
    chosen = np.ones(len(own.classes), bool) if which is None else which
    return confusion(
        own.queries.problems[chosen],
        own.queries.inputs.classes[chosen],
        own.classes[chosen],
        own.task.n_classes,
    )


def _by_group(own: Predicted) -> Iterator[tuple[str, Counts]]:
    """Counts of the queries whose true class is in a group, if there are any."""
    for name, classes in own.task.groups.items():
        is_chosen = np.isin(own.queries.inputs.classes, list(classes))
        if is_chosen.any():
            yield name, _counts(own, is_chosen)


def _has_classes(counts: Counts) -> bool:
    """Whether there are several true classes, which a correlation needs."""
    return int((counts.sum((0, 2)) > 0).sum()) > 1


def _metric(
    name: str,
    statistic: Statistic,
    counts: Counts,
    dims: dict[str, Dim],
    minus: Counts | None = None,
) -> Metric:
    """A statistic, or its difference between two models, with its error over problems."""
    pair = (counts,) if minus is None else (counts, minus)
    value, stderr = over_problems(statistic, *pair)
    unit = "correlation" if statistic is matthews else "accuracy"
    return Metric(
        name=f"igsm_probe/{name}", value=value, unit=unit, n=len(counts), stderr=stderr, dims=dims
    )


def _rows(own: Predicted) -> pl.DataFrame:
    queries = own.queries
    n = len(queries.queries)
    others = [query.other.name if query.other else None for query in queries.queries]
    distances = pl.Series("distance", queries.distances)
    return pl.DataFrame(
        {
            "task": [own.task.value] * n,
            "model": [own.model] * n,
            "layer": [own.layer] * n,
            "set": [own.set] * n,
            "problem": queries.problems,
            "n_sentences": [query.n_sentences for query in queries.queries],
            "parameter": [query.parameter.name for query in queries.queries],
            "other": pl.Series("other", others, dtype=pl.String),
            "distance": distances.set(distances < 0, None),
            "true_class": queries.inputs.classes,
            "predicted_class": own.classes,
        }
    )
