"""A table of runs as columns of plain values, varying columns first."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from physlm.errors import InputError
from physlm.measurement import metric_text, parse_dims
from physlm.report.results import Results
from physlm.report.tables import is_configuration

# Significant digits of numbers: more than a measurement has, and half the size of all digits.
_N_DIGITS = 7


@dataclass(frozen=True, slots=True, eq=False)
class RunTable:
    """A table of runs.

    Attributes:
        name: The experiment, or the folders of the runs.
        title: Title of the experiment.
        table: One row for each run. The columns are the run id, then configuration, metrics and
            facts in which the runs differ, then columns with the same value in all runs.
        kinds: Kind of each column: ``configuration``, ``fact`` or ``metric``.
        n_varying: Number of columns up to the last varying one, with the run id.
    """

    name: str
    title: str
    table: pl.DataFrame
    kinds: tuple[str, ...]
    n_varying: int

    def as_plain(self) -> dict[str, Any]:
        """The table for JSON, with a single value for each column that does not vary."""
        n = self.n_varying
        columns = self.table.get_columns()
        values = [c.to_list() for c in columns[:n]] + [c[:1].to_list() for c in columns[n:]]
        return {
            "name": self.name,
            "title": self.title,
            "n_runs": len(self.table),
            "n_varying": n,
            "columns": self.table.columns,
            "kinds": self.kinds,
            "values": [[_plain(value) for value in column] for column in values],
        }


def run_table(name: str, title: str, results: Results, first: Sequence[str] = ()) -> RunTable:
    """The table of some results, with a column for each metric.

    Args:
        name: The experiment, or the folders of the runs.
        title: Title of the experiment.
        results: The runs and their metrics.
        first: Metrics that precede the others, such as those of claims.

    Raises:
        InputError: If a run has a metric twice.
    """
    metrics = _by_metric(results)
    texts = [text for text in dict.fromkeys(first) if text in metrics.columns]
    texts += [text for text in metrics.columns[1:] if text not in texts]
    table = results.runs.join(
        metrics.select("run_id", *texts), on="run_id", how="left", maintain_order="left"
    )
    order, n_varying = _in_order(table, texts)
    return RunTable(
        name, title, table.select(order), tuple(_kind(c, texts) for c in order), n_varying
    )


def _by_metric(results: Results) -> pl.DataFrame:
    """Run ids and a column for each metric, by one pivot: a join per metric would take seconds."""
    rows = results.metrics
    if rows.select("run_id", "metric", "dims").is_duplicated().any():
        raise InputError("a metric was measured twice of one run; leave out one of the scorers")
    kinds = rows.select("metric", "dims").unique(maintain_order=True)
    texts = [metric_text(metric, parse_dims(dims)) for metric, dims in kinds.iter_rows()]
    rows = rows.join(kinds.with_columns(text=pl.Series(texts, dtype=pl.String)), on=kinds.columns)
    return rows.pivot("text", index="run_id", values="value").select("run_id", *texts)


def _in_order(table: pl.DataFrame, metrics: Collection[str]) -> tuple[list[str], int]:
    """The columns in order, without empty ones, and the number of varying columns.

    The metrics of a single run count as varying: they are what is looked at.
    """
    kinds = ("configuration", "metric", "fact")
    others = [name for name in table.columns if name != "run_id"]
    others.sort(key=lambda name: kinds.index(_kind(name, metrics)))
    shown = metrics if len(table) == 1 else ()
    varying = [name for name in others if table[name].n_unique() > 1 or name in shown]
    same = [name for name in others if name not in varying and table[name].null_count() == 0]
    return ["run_id", *varying, *same], 1 + len(varying)


def _kind(name: str, metrics: Collection[str]) -> str:
    if name in metrics:
        return "metric"
    is_set = is_configuration(name) or name == "experiment"
    return "configuration" if is_set else "fact"


def _plain(value: Any) -> Any:
    """A value for JSON, in which infinity and NaN are texts."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return str(value)
    rounded = float(f"{value:.{_N_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
