"""Rows of predictions on disk, as a Parquet file beside a run's record."""

from pathlib import Path

import polars as pl

from physlm.atomic import replacing
from physlm.errors import InputError

PREDICTIONS = "predictions.parquet"


def write_rows(rows: pl.DataFrame, path: Path) -> None:
    """Write rows in one step: a reader sees the old file or the new, whole.

    Raises:
        OSError: Naming the file, if it cannot be written.
    """
    with replacing(path) as temporary:
        rows.write_parquet(temporary)


def read_rows(path: Path) -> pl.DataFrame:
    """Read rows that were written.

    Raises:
        InputError: If the file is missing or damaged.
    """
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read ({reason}); measure the run again") from error
