"""Columns of rows of predictions: one number per row, or an array of one number per state."""

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor


def measured_column(
    name: str,
    values: Shaped[np.ndarray, "n *states"],
    is_kept: Bool[np.ndarray, " n"] | None = None,
) -> pl.Series:
    """Measurements as a column of 32-bit numbers, or of arrays of them.

    Args:
        name: Name of the column.
        values: One number or one array per row.
        is_kept: False in rows whose numbers are to be null; None to keep all.
    """
    dtype = np.int32 if values.dtype.kind == "i" else np.float32
    column = pl.Series(name, values.astype(dtype).ravel())
    if is_kept is not None:
        # Null numbers instead of null arrays: only arrays of one length can be exploded together.
        mask = pl.Series(np.repeat(is_kept, values[0].size))
        column = column.zip_with(mask, pl.Series(name, [None], column.dtype))
    return column if values.ndim == 1 else column.reshape(values.shape)


def state_column(states: list[int], n_rows: int) -> pl.Series:
    """The numbers of the states, in every row."""
    numbers = np.array(states, np.int32)
    return measured_column("state", np.broadcast_to(numbers, (n_rows, len(states))))


def integers(table: pl.DataFrame, name: str) -> Int[Tensor, " n"]:
    """A column of whole numbers as a tensor."""
    return torch.from_numpy(table[name].to_numpy(writable=True))
