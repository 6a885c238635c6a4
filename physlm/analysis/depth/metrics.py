"""Metrics from frames of means."""

from collections.abc import Mapping, Sequence

import polars as pl

from physlm.measurement import Dim, Metric


def metrics_of(
    means: pl.DataFrame, names: Mapping[str, tuple[str, str]], by: Sequence[str] = (), **dims: Dim
) -> list[Metric]:
    """One metric for each row whose quantity has a name.

    Args:
        means: Result of ``document_means``.
        names: Name and unit of each quantity.
        by: Columns that are dimensions.
        dims: Other dimensions of all metrics.
    """
    return [
        Metric(
            name=names[row["quantity"]][0],
            value=row["value"],
            unit=names[row["quantity"]][1],
            n=row["n"],
            stderr=row["stderr"],
            dims={**{name: row[name] for name in by}, **dims},
        )
        for row in means.iter_rows(named=True)
        if row["quantity"] in names and row["value"] is not None
    ]
