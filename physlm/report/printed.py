"""Results as tables for the terminal: of one run, and of several seeds of a configuration."""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from rich.table import Table

from physlm.config import RunConfig
from physlm.measurement import Metric, by_text, metric_text
from physlm.provenance import changes_of
from physlm.record import RunRecord
from physlm.science import caveat

_MANY = 60  # rows; metrics along a state, a layer, a block, or all heads then share one
_ALONG = ("state", "layer", "block", "head")


def table_of_many(records: Sequence[RunRecord], config: RunConfig, rate: float) -> Table:
    """Mean, standard error and spread over runs, beside the published numbers."""
    result = Table(
        title=f"{config.experiment} (n = {len(records)} runs, learning rate {rate:g})",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("metric", "mean", "stderr", "std", "min", "max", "paper", "unit"):
        result.add_column(heading, justify="left" if heading in {"metric", "unit"} else "right")
    measured = [by_text(record.metrics) for record in records]
    every = {name: metric for own in measured for name, metric in own.items()}
    point = next(p for p in config.points if p.optim.learning_rate == rate)
    result.caption = _caption(point, every)
    for name, metric in every.items():
        values = [own[name].value for own in measured if name in own]
        paper = config.published.get(name)
        result.add_row(
            name if len(values) == len(records) else f"{name} ({len(values)} runs)",
            *mean_and_error(values),
            f"{statistics.stdev(values):.2g}" if len(values) > 1 else "",
            f"{min(values):,.4g}",
            f"{max(values):,.4g}",
            "" if paper is None else f"{paper:g}",
            metric.unit,
        )
    return result


def mean_and_error(values: Sequence[float]) -> tuple[str, str]:
    """The mean over runs and its standard error, which a single run does not have."""
    mean = f"{statistics.mean(values):,.4g}"
    if len(values) < 2:
        return mean, ""
    return mean, f"{statistics.stdev(values) / math.sqrt(len(values)):.2g}"


def table(record: RunRecord, config: RunConfig) -> Table:
    """Measured and published values, and the cost of the run."""
    result = Table(
        title=f"{record.experiment} (seed {record.config['seed']}, n = 1 run)",
        title_justify="left",
        caption_justify="left",
    )
    result.add_column("metric", overflow="fold")
    for heading in ("measured", "stderr", "paper", "unit"):
        result.add_column(heading, justify="left" if heading == "unit" else "right")
    metrics = by_text(record.metrics)
    result.caption = _caption(config, metrics)
    for row in _rows(metrics, config.published):
        result.add_row(*row)
    result.add_section()
    costs = (
        ("exposures counted", f"{record.exposures:g}", ""),
        *_sizes(record),
        ("optimizer steps", f"{record.steps:,}", ""),
        ("training speed", f"{record.tokens_per_second:,.0f}", "tokens/s"),
        ("training time", f"{record.wall_seconds:,.0f}", "s"),
    )
    for cost, value, unit in costs:
        result.add_row(cost, value, "", "", unit)
    return result


def _caption(config: RunConfig, measured: Iterable[str]) -> str | None:
    """The setting of the published numbers, and how this run differs from the experiment."""
    if config.published.keys().isdisjoint(measured):
        return None
    paper = f"paper: {config.published_of}" if config.published_of else ""
    return "\n".join(filter(None, (paper, caveat(changes_of(config))))) or None


def _sizes(record: RunRecord) -> list[tuple[str, str, str]]:
    """Parameters, and the active ones per token if fewer; none for a model behind an endpoint."""
    names = {"total": "parameters", "active": "parameters active"}
    found = {name: record.parameters.get(key) for key, name in names.items()}
    return [(name, f"{n:,}", "") for name, n in found.items() if n]


Row = tuple[str, str, str, str, str]


def _rows(metrics: Mapping[str, Metric], published: Mapping[str, float]) -> Iterator[Row]:
    """Name, value, error, published value and unit of each metric.

    If there are many metrics, those that differ only in a part of the model share a row.
    """
    if len(metrics) <= _MANY:
        yield from (_row(name, metric, published.get(name)) for name, metric in metrics.items())
        return
    for _, own in groupby(sorted(metrics.values(), key=_series), key=_series):
        along = list(own)
        if len(along) == 1:
            yield _row(along[0].text, along[0], published.get(along[0].text))
        else:
            yield _series_row(along)


def _row(name: str, metric: Metric, paper: float | None) -> Row:
    return (
        name,
        f"{metric.value:,.4g}" if abs(metric.value) < 1e4 else f"{metric.value:,.0f}",
        "" if metric.stderr is None else f"{metric.stderr:.2g}",
        "" if paper is None else f"{paper:g}",
        metric.unit,
    )


def _series(metric: Metric) -> tuple[str, tuple[str, ...]]:
    """Text of a metric without the dimensions of a part of the model, and these dimensions."""
    parts = tuple(name for name in _ALONG if name in metric.dims)
    rest = {name: value for name, value in metric.dims.items() if name not in parts}
    return metric_text(metric.name, rest), parts


def _series_row(along: Sequence[Metric]) -> Row:
    """The values of a series in order; with several dimensions, the smallest and the largest.

    The error is the largest one.
    """
    name, parts = _series(along[0])
    errors = [metric.stderr for metric in along if metric.stderr is not None]
    if len(parts) == 1:
        ordered = sorted(along, key=lambda metric: metric.dims[parts[0]])
        label = f"{name}, {parts[0]} {ordered[0].dims[parts[0]]} to {ordered[-1].dims[parts[0]]}"
        values = " ".join(f"{metric.value:.3g}" for metric in ordered)
    else:
        least, most = (choose(along, key=lambda metric: metric.value) for choose in (min, max))
        label = f"{name}, {len(along)} of {', '.join(parts)}"
        values = f"{least.value:.3g} to {most.value:.3g} ({_place(most, parts)})"
    error = f"{max(errors):.2g}" if errors else ""
    return label, values, error, "", along[0].unit


def _place(metric: Metric, parts: Iterable[str]) -> str:
    return ", ".join(f"{part} {metric.dims[part]}" for part in parts)
