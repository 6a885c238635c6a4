"""One table of the points of a sweep: how they differ, and their main metrics over seeds."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.table import Table

from physlm.measurement import Metric, by_text
from physlm.record import RunRecord
from physlm.report.printed import mean_and_error

_MOST_METRICS = 4  # columns


class Point(NamedTuple):
    """A point of a sweep.

    Attributes:
        words: Its overrides.
        records: Of its runs, as far as they have one.
    """

    words: tuple[str, ...]
    records: tuple[RunRecord, ...]


def table_of_points(points: Sequence[Point]) -> Table:
    """A row for each setting: varying overrides, number of runs, means and standard errors.

    Points that differ in their seed alone share a row. The metrics are those with published
    numbers, or else the first of each scorer.
    """
    keys = _varying(points)
    rows: dict[tuple[str, ...], list[RunRecord]] = {}
    for words, records in points:
        values = _values(words)
        rows.setdefault(tuple(values.get(key, "") for key in keys), []).extend(records)
    names, n_others = _main_metrics([one for records in rows.values() for one in records])
    table = Table(title=f"{len(points)} points", title_justify="left", caption_justify="left")
    for key in (*keys, "n", *names):
        table.add_column(key, justify="left" if key in keys else "right", overflow="fold")
    for setting, alike in rows.items():
        measured = [by_text(record.metrics) for record in alike]
        cells = [_mean([own[name].value for own in measured if name in own]) for name in names]
        table.add_row(*setting, _number(alike), *cells)
    others = f"; {n_others} further metrics: python -m physlm.collate" if n_others else ""
    table.caption = f"mean +- standard error over seeds{others}"
    return table


def _varying(points: Iterable[Point]) -> list[str]:
    """The keys of overrides that differ between points, but for the seed."""
    found: dict[str, set[str]] = {}
    for words, _ in points:
        for key, value in _values(words).items():
            found.setdefault(key, set()).add(value)
    return [key for key, values in found.items() if len(values) > 1 and key != "seed"]


def _values(words: Iterable[str]) -> dict[str, str]:
    pairs = (word.lstrip("+").partition("=") for word in words)
    return {key: value.strip("'\"") for key, _, value in pairs}


def _main_metrics(records: Sequence[RunRecord]) -> tuple[list[str], int]:
    """The names of the metrics to show, and the number of the others."""
    measured: dict[str, Metric] = {}
    for record in records:
        measured |= by_text(record.metrics)
    published = {name for record in records for name in record.published if name in measured}
    chosen = [name for name in measured if name in published] or _first_of_each(measured.values())
    return chosen[:_MOST_METRICS], len(measured) - len(chosen[:_MOST_METRICS])


def _first_of_each(metrics: Iterable[Metric]) -> list[str]:
    """The first metric of each scorer, in all its aggregates that have the fewest dimensions."""
    by_name: dict[str, list[Metric]] = {}
    for metric in metrics:
        by_name.setdefault(metric.name, []).append(metric)
    first: dict[str, list[Metric]] = {}
    for name, alike in by_name.items():
        first.setdefault(name.partition("/")[0], alike)
    return [one.text for alike in first.values() for one in alike if _n_dims(one) == _fewest(alike)]


def _fewest(alike: Iterable[Metric]) -> int:
    return min(map(_n_dims, alike))


def _n_dims(metric: Metric) -> int:
    return len(metric.dims.keys() - {"split"})


def _number(records: Sequence[RunRecord]) -> str:
    """The number of finished runs, and of the others if there are some."""
    n_finished = sum(record.status == "finished" for record in records)
    n_others = len(records) - n_finished
    return f"{n_finished}" + (f" ({n_others} not finished)" if n_others else "")


def _mean(values: Sequence[float]) -> str:
    """Mean and standard error of the runs that have a metric."""
    return " +- ".join(filter(None, mean_and_error(values))) if values else ""
