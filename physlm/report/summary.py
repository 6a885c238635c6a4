"""Selection of runs, means over seeds, and checks of code revisions."""

import difflib
from collections.abc import Sequence

import polars as pl

from physlm.errors import InputError
from physlm.report.results import RUNS, Results
from physlm.science import is_science


def summarise(results: Results, by: Sequence[str], metrics: Sequence[str]) -> pl.DataFrame:
    """Mean, standard error and n of metrics over finished runs, grouped by columns.

    The standard error is missing where n is 1.

    Raises:
        InputError: If a column or metric does not exist, or runs of one group differ in more than
            their seed.
    """
    for name in by:
        _require_column(name, results.runs)
    table = results.table(*metrics).filter(pl.col("status") == "finished")
    for rows in table.partition_by(by):
        if mixed := varying_science(rows):
            keys = ", ".join(mixed)
            raise InputError(f"{keys} vary within a group; add them to --by, or choose by --where")
    statistics = []
    for name in metrics:
        column = pl.col(name)
        stderr = column.std() / column.count().sqrt()
        statistics += [
            column.mean(),
            stderr.alias(f"{name}/stderr"),
            column.count().alias(f"{name}/n"),
        ]
    return table.group_by(by).agg(statistics).sort(by)


def varying_science(table: pl.DataFrame) -> list[str]:
    """Columns other than the seed that differ between rows and may change a result."""
    science = [name for name in table.columns if is_science(name)]
    return [name for name in science if table[name].n_unique() > 1]


def choose(table: pl.DataFrame, conditions: Sequence[str]) -> pl.DataFrame:
    """The rows that satisfy all conditions, such as ``model.d_model=32,64``.

    Raises:
        InputError: If a condition is malformed, its column unknown, or no row is left.
    """
    for condition in conditions:
        name, _, value = condition.partition("=")
        if not value:
            raise InputError(f"--where {condition}; write COLUMN=VALUE with a column of the table")
        _require_column(name, table)
        column = pl.col(name).cast(pl.String)
        table = table.filter((column == value) | column.is_in(value.split(",")))
    if table.is_empty():
        raise InputError(f"no run with {', '.join(conditions)}")
    return table


def _require_column(name: str, table: pl.DataFrame) -> None:
    """Require a column; the error lists similar names, since a table may have hundreds."""
    if name in table.columns:
        return
    near = difflib.get_close_matches(name, table.columns, n=5, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"see the head of {RUNS}"
    raise InputError(f"no column {name}; {hint}")


def mixed_code(table: pl.DataFrame) -> str:
    """Why the runs of a table are not of one revision of the code; empty if they are."""
    revision = _column(table, "git_revision", pl.String())
    is_clean = (~_column(table, "git_dirty", pl.Boolean())).fill_null(value=False)
    n, n_unknown = revision.drop_nulls().n_unique(), revision.null_count()
    n_dirty = (revision.is_not_null() & ~is_clean).sum()
    faults = [
        f"{n} git revisions" if n > 1 else "",
        f"no known revision ({n_unknown} of {len(table)} runs)" if n_unknown else "",
        f"uncommitted code ({n_dirty} of {len(table)} runs)" if n_dirty else "",
    ]
    return " and ".join(fault for fault in faults if fault)


def _column(table: pl.DataFrame, name: str, kind: pl.DataType) -> pl.Series:
    """A column of a table, of nulls if the table does not have it."""
    known = name in table.columns
    return table[name].cast(kind) if known else pl.Series([None] * len(table), dtype=kind)
