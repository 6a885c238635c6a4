"""Selection of hyperparameters by validation metrics of other seeds."""

import numpy as np
import polars as pl

from physlm.errors import InputError


def best_of(table: pl.DataFrame, *, over: str, by: str) -> pl.DataFrame:
    """Each seed's run at the value of a column that is best in all other seeds.

    Each seed is a separate world, so the selection for a seed uses no text of that seed.

    Args:
        table: Runs of one configuration, but for the seed and the column.
        over: The column to select over, such as the learning rate.
        by: The metric to select by, such as the validation loss; the lowest mean is best.

    Raises:
        InputError: If a column does not exist, a metric is missing, or not every value has one run
            of each of at least two seeds.
    """
    if missing := {over, by, "seed"} - set(table.columns):
        raise InputError(f"results have no column {sorted(missing)[0]}")
    if table[by].null_count() or table[by].is_nan().any():
        raise InputError(f"runs without {by}, so that no {over} can be chosen; run them again")
    groups = [rows.sort("seed") for rows in table.sort(over).partition_by(over)]
    seeds = sorted(table["seed"].unique())
    if len(seeds) < 2 or any(rows["seed"].to_list() != seeds for rows in groups):
        raise InputError(
            f"not every {over} has one finished run of each of two seeds or more; run the whole "
            "sweep, and leave out what diverges"
        )
    losses = np.array([rows[by].to_list() for rows in groups])
    chosen = (losses.sum(axis=1, keepdims=True) - losses).argmin(axis=0)
    rows: list[pl.DataFrame] = [groups[best].slice(i, 1) for i, best in enumerate(chosen)]
    return pl.concat(rows)
