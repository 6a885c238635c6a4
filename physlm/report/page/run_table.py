"""Runs as columns of plain values, those in which they differ first."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from physlm.errors import InputError
from physlm.measurement import metric_text, parse_dims
from physlm.report.results import Results
from physlm.report.tables import is_configuration

# Enough to tell any two measurements apart, and half the size of all digits.
_N_DIGITS = 7


@dataclass(frozen=True, slots=True, eq=False)
class RunTable:
    """Runs that are looked at together.

    Attributes:
        name: Of their experiment or folders.
        title: What they are about.
        table: One row a run, in order of columns: the id; configuration, metrics and facts in which
            runs differ; what is the same in all.
        kinds: ``configuration``, ``fact`` or ``metric``, one for each column.
        n_varying: How many columns come before those that are the same in all runs.
    """

    name: str
    title: str
    table: pl.DataFrame
    kinds: tuple[str, ...]
    n_varying: int

    def as_plain(self) -> dict[str, Any]:
        """For JSON; the values of a column that is the same in all runs are there once."""
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
    """The runs of some results, with a column for each metric.

    Args:
        name: Of their experiment or folders.
        title: What they are about.
        results: The runs.
        first: Metrics that come before the others, as those of claims.

    Raises:
        InputError: If a metric was measured twice of a run.
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
    """Run ids, and a column for each metric; one pass, where a join for each takes seconds."""
    rows = results.metrics
    if rows.select("run_id", "metric", "dims").is_duplicated().any():
        raise InputError("a metric was measured twice of one run; leave out one of the scorers")
    kinds = rows.select("metric", "dims").unique(maintain_order=True)
    texts = [metric_text(metric, parse_dims(dims)) for metric, dims in kinds.iter_rows()]
    rows = rows.join(kinds.with_columns(text=pl.Series(texts, dtype=pl.String)), on=kinds.columns)
    return rows.pivot("text", index="run_id", values="value").select("run_id", *texts)


def _in_order(table: pl.DataFrame, metrics: Collection[str]) -> tuple[list[str], int]:
    """The columns in order, and how many vary; those without any value are left out."""
    kinds = ("configuration", "metric", "fact")
    others = [name for name in table.columns if name != "run_id"]
    others.sort(key=lambda name: kinds.index(_kind(name, metrics)))
    varying = [name for name in others if table[name].n_unique() > 1]
    same = [name for name in others if name not in varying and table[name].null_count() == 0]
    return ["run_id", *varying, *same], 1 + len(varying)


def _kind(name: str, metrics: Collection[str]) -> str:
    if name in metrics:
        return "metric"
    is_set = is_configuration(name) or name == "experiment"
    return "configuration" if is_set else "fact"


def _plain(value: Any) -> Any:
    """JSON has no infinity, and no number that is none: these are texts."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return str(value)
    rounded = float(f"{value:.{_N_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
