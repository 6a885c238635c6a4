"""States at which predictions are first made and settle, and means by state."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from physlm.analysis.depth.document_means import document_means

_RANKS = ("final_rank", "target_rank")


def by_state(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per prediction and state: every column of arrays becomes one of numbers."""
    return rows.explode([name for name, kind in rows.schema.items() if isinstance(kind, pl.Array)])


def with_depth(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``trace`` with the depth of each prediction, in blocks.

    - ``onset``: the first state at which the final token has rank 1.
    - ``settled``: the first state from which on the top-1 token is the final one.
    - ``flickers``: whether it settles after its onset.
    - ``onset_fraction``, ``settled_fraction``: the same as fractions of L.

    Only the traced states count, in their order.
    """
    numbers = rows["state"].to_numpy()
    agrees = rows["top1"].to_numpy() == rows["final"].to_numpy()[:, None]
    # From the last state backwards, the agreement up to the first disagreement.
    n_settled = np.logical_and.accumulate(agrees[:, ::-1], axis=1).sum(axis=1)
    index = {
        "onset": (rows["final_rank"].to_numpy() == 1).argmax(axis=1),
        "settled": numbers.shape[1] - n_settled,
    }
    every = np.arange(len(rows))
    depth = {name: pl.Series(name, numbers[every, i]) for name, i in index.items()}
    fractions = [
        (pl.col(name) / pl.col("state").arr.last()).alias(f"{name}_fraction") for name in depth
    ]
    return rows.with_columns(**depth).with_columns(
        (pl.col("settled") > pl.col("onset")).alias("flickers"), *fractions
    )


def depth_means(rows: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Mean onset, settled and fraction of flickering predictions; see ``document_means``."""
    quantities = ("onset", "settled", "flickers", "onset_fraction", "settled_fraction")
    return document_means(with_depth(rows), quantities, by)


def state_means(rows: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Means at every state; see ``document_means``.

    Quantities are ``agreement``, the fraction of predictions whose top-1 token is the final one,
    ``accuracy``, the same for the target, reciprocal ranks of both, the divergences, the entropy,
    and the loss.
    """
    agreement = (pl.col("top1") == pl.col("final")).alias("agreement")
    accuracy = (pl.col("top1") == pl.col("target")).alias("accuracy")
    reciprocal = [(1 / pl.col(name)).alias(f"reciprocal_{name}") for name in _RANKS]
    measured = [name for name in rows.columns if name.endswith("_nats")]
    measured = [name for name in measured if isinstance(rows.schema[name], pl.Array)]
    quantities = ["agreement", "accuracy", *(f"reciprocal_{name}" for name in _RANKS), *measured]
    every = by_state(rows).with_columns(agreement, accuracy, *reciprocal)
    return document_means(every, quantities, [*by, "state"])
