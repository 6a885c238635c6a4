"""Rows of predictions, as `trace` makes them, from given arrays."""

import numpy as np
import polars as pl


def rows_of(top1, *, document=None, states=None, final_rank=None, **columns):
    """Rows whose final token is the last top-1 token; other columns are given as they are."""
    top1 = np.asarray(top1, np.int32)
    n, n_states = top1.shape
    final = top1[:, -1]
    if final_rank is None:
        final_rank = np.where(top1 == final[:, None], 1, 2)
    numbers = np.broadcast_to(np.array(states or range(n_states), np.int32), top1.shape)
    arrays = {"state": numbers, "top1": top1, "final_rank": np.asarray(final_rank, np.int32)}
    columns = {name: np.asarray(values) for name, values in columns.items()}
    arrays |= {name: values for name, values in columns.items() if values.ndim == 2}
    plain = {name: values for name, values in columns.items() if values.ndim == 1}
    return pl.DataFrame(
        [
            pl.Series("document", np.arange(n) if document is None else document),
            pl.Series("final", final),
            *(pl.Series(name, values) for name, values in plain.items()),
            *(pl.Series(name, v.ravel()).reshape(v.shape) for name, v in arrays.items()),
        ]
    )
