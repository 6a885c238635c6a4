"""The first state at which a token is among the r most probable ones, as a curve over r."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Int

from physlm.analysis.depth.document_means import document_means

THRESHOLDS = np.unique(np.geomspace(1, 10_000, 200).astype(np.int64))


def rank_curve(
    rows: pl.DataFrame,
    of: str = "final",
    by: Sequence[str] = (),
    thresholds: Int[np.ndarray, " n"] = THRESHOLDS,
) -> pl.DataFrame:
    """First state at which a token has rank r or better, for each threshold r.

    The final token has rank 1 at state L, but a target may never reach rank r. Published curves
    leave such predictions out, which makes hard predictions look early, so there are three
    quantities: ``first_state`` without them, ``first_state_or_last`` with state L in their place,
    and ``never_reached``, their fraction. See ``document_means``; ``deviation`` is the standard
    deviation over predictions.

    Args:
        rows: Rows of ``trace``.
        of: ``final`` or ``target``; predictions without a target are left out.
        by: Columns that define the groups.
        thresholds: Values of r, whole numbers; by default up to 200 of a logarithmic scale to
            10,000.
    """
    rows = rows.filter(pl.col(of).is_not_null())
    numbers = rows["state"].to_numpy()
    lowest = np.minimum.accumulate(rows[f"{of}_rank"].to_numpy(), axis=1)
    kept = rows.select("document", *by)
    return pl.concat(
        _at_threshold(kept, numbers, lowest <= threshold, by).with_columns(
            pl.lit(int(threshold)).alias("threshold")
        )
        for threshold in thresholds
    )


def _at_threshold(
    kept: pl.DataFrame, numbers: np.ndarray, is_reached: np.ndarray, by: Sequence[str]
) -> pl.DataFrame:
    """The quantities at one threshold, from whether it is reached up to each state."""
    never = pl.Series("never_reached", ~is_reached[:, -1])
    index = is_reached.argmax(axis=1)
    first = pl.Series("first_state", numbers[np.arange(len(numbers)), index])
    last = pl.Series(numbers[:, -1])
    found = {
        "first_state": first.set(never, None),
        "first_state_or_last": first.zip_with(~never, last),
        "never_reached": never,
    }
    measured = kept.with_columns(**found).with_columns(pl.col(list(found)).cast(pl.Float64))
    deviations = (
        measured.unpivot(list(found), index=list(by), variable_name="quantity")
        .group_by(*by, "quantity")
        .agg(pl.col("value").std().alias("deviation"))
    )
    means = document_means(measured, list(found), by)
    return means.join(deviations, on=[*by, "quantity"], how="left", maintain_order="left")
