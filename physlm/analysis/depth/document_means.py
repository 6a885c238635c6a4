"""Means of predictions, with standard errors over documents."""

from collections.abc import Sequence

import polars as pl

from physlm.errors import InputError


def document_means(
    rows: pl.DataFrame, quantities: Sequence[str], by: Sequence[str] = ()
) -> pl.DataFrame:
    """Mean of each quantity in each group, with its standard error over documents.

    Predictions of one document are not independent, so they are averaged first, and every document
    of a group has the same weight. Null values do not count. The columns are those of the groups,
    ``quantity``, ``value``, ``stderr`` (null for one document), ``n_documents`` and ``n``, the
    number of predictions.

    Args:
        rows: Predictions, with a column ``document``.
        quantities: Columns of numbers or booleans.
        by: Columns that define the groups.

    Raises:
        InputError: If a column is missing.
    """
    require_columns(rows, ["document", *quantities, *by])
    per_document = rows.group_by(*by, "document").agg(
        *(pl.col(name).cast(pl.Float64).mean().alias(f"mean/{name}") for name in quantities),
        *(pl.col(name).count().alias(f"n/{name}") for name in quantities),
    )
    parts = [
        per_document.drop_nulls(f"mean/{name}")
        .group_by(*by, pl.lit(name).alias("quantity"))
        .agg(
            pl.col(f"mean/{name}").mean().alias("value"),
            (pl.col(f"mean/{name}").std() / pl.len().sqrt()).alias("stderr"),
            pl.len().alias("n_documents"),
            pl.col(f"n/{name}").sum().alias("n"),
        )
        for name in quantities
    ]
    return pl.concat(parts).sort(*by, "quantity")


def require_columns(rows: pl.DataFrame, names: Sequence[str]) -> None:
    """Verify that a frame has columns of these names.

    Raises:
        InputError: If one is missing.
    """
    if missing := [name for name in names if name not in rows.columns]:
        raise InputError(
            f"the rows have no column {missing[0]}; they have {', '.join(rows.columns)}"
        )
