"""Quality of predictions that leave the model early, against the blocks that are saved.

All of it is computed from the rows of ``trace``: no block is left out, and no time is saved.
"""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from physlm.analysis.depth.depth_means import by_state
from physlm.analysis.depth.document_means import document_means, require_columns
from physlm.analysis.depth.exit_rule import ExitCriterion
from physlm.errors import InputError, refused_values
from physlm.rng import stream

AGREEMENT = 0.99  # with the whole model, which early exit must keep
STATIC = "static"

_QUANTITIES = ("agreement", "accuracy", "loss_change_nats", "blocks", "blocks_saved")


def static_exit(rows: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Quality if all predictions leave the model at the same state, by state.

    Quantities are ``agreement`` with the whole model, ``accuracy``, ``loss_change_nats``,
    ``blocks`` run, and ``blocks_saved``; see ``document_means``.

    Args:
        rows: Rows of ``trace``.
        by: Columns that define the groups.
    """
    final_loss = pl.col("target_loss_nats").arr.last().alias("final_loss")
    last = pl.col("state").arr.last().alias("n_layers")
    return _quality(by_state(rows.with_columns(final_loss, last)), [*by, "state"])


def dynamic_exit(
    rows: pl.DataFrame,
    thresholds: Sequence[float],
    criterion: ExitCriterion = ExitCriterion.probability,
    by: Sequence[str] = (),
) -> pl.DataFrame:
    """Quality if each prediction leaves at the first confident state, by threshold.

    A prediction leaves at state L if no state is confident. Quantities are those of
    ``static_exit``.

    Args:
        rows: Rows of ``trace``.
        thresholds: Thresholds of the criterion.
        criterion: When a state is confident.
        by: Columns that define the groups.

    Raises:
        InputError: If there is no such criterion, or a column is missing.
    """
    with refused_values():
        criterion = ExitCriterion(criterion)
    needed = ["state", "top1", "top1_probability", "entropy_nats", "target_loss_nats"]
    require_columns(rows, needed)
    arrays = {name: rows[name].to_numpy() for name in needed}
    constants = rows.select(
        *("document", "final", "target", *by),
        pl.col("target_loss_nats").arr.last().alias("final_loss"),
        pl.col("state").arr.last().alias("n_layers"),
    )
    parts = []
    for threshold in thresholds:
        is_sure = _is_sure(arrays, criterion, threshold)
        is_sure[:, -1] = True
        index = pl.Series("index", is_sure.argmax(axis=1))
        left = rows.select(
            pl.col(name).arr.get(index) for name in ("state", "top1", "target_loss_nats")
        )
        quality = _quality(pl.concat([constants, left], how="horizontal"), by)
        parts.append(quality.with_columns(pl.lit(float(threshold)).alias("threshold")))
    return pl.concat(parts)


def thresholds(criterion: ExitCriterion, n_states: int, vocabulary_size: int) -> list[float]:
    """Thresholds from always leaving to never, in steps that are finer towards certainty.

    Args:
        criterion: When a state is confident.
        n_states: Candidate states.
        vocabulary_size: Number of tokens, whose logarithm is the highest entropy.
    """
    if criterion is ExitCriterion.repeat:
        return [float(n) for n in range(1, n_states + 2)]
    steps = np.logspace(0, -4, 21)
    if criterion is ExitCriterion.probability:
        return [*(1 - steps).tolist(), 1.01]
    return [*(steps * math.log(vocabulary_size)).tolist(), -1.0]


def best_threshold(curve: pl.DataFrame, agreement: float = AGREEMENT) -> float:
    """The threshold, or state, that saves the most blocks at an agreement with the whole model.

    Args:
        curve: Result of ``static_exit`` or ``dynamic_exit``, for one group. It includes a threshold
            at which no prediction leaves early.
        agreement: Lowest agreement allowed.
    """
    axis = "threshold" if "threshold" in curve.columns else "state"
    wide = curve.pivot(on="quantity", index=axis, values="value")
    kept = wide.filter(pl.col("agreement") >= agreement)
    return float(kept.sort("blocks_saved", "agreement")[axis][-1])


def is_calibrated_on(documents: Int64[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    """Whether each row belongs to the half of the documents on which thresholds are chosen.

    Args:
        documents: The document of each row.

    Raises:
        InputError: If there is only one document.
    """
    every = np.unique(documents)
    if len(every) < 2:
        raise InputError(
            "1 document is analysed; early exit needs at least 2, one to choose thresholds on and "
            "one to measure; analyse more texts"
        )
    order = stream(0, "early exit", "halves").permutation(len(every))
    return np.isin(documents, every[order[: len(order) // 2]])


def _quality(left: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Means over predictions that left at the state in their row."""
    measured = left.with_columns(
        (pl.col("top1") == pl.col("final")).alias("agreement"),
        (pl.col("top1") == pl.col("target")).alias("accuracy"),
        (pl.col("target_loss_nats") - pl.col("final_loss")).alias("loss_change_nats"),
        pl.col("state").alias("blocks"),
        (pl.col("n_layers") - pl.col("state")).alias("blocks_saved"),
    )
    return document_means(measured, _QUANTITIES, by)


def _is_sure(
    arrays: dict[str, np.ndarray], criterion: ExitCriterion, threshold: float
) -> np.ndarray:
    """Whether each prediction may leave at each state."""
    if criterion is ExitCriterion.probability:
        return arrays["top1_probability"] >= threshold
    if criterion is ExitCriterion.entropy:
        return arrays["entropy_nats"] <= threshold
    n_equal = np.ones_like(arrays["top1"])
    for k in range(1, n_equal.shape[1]):
        is_equal = arrays["top1"][:, k] == arrays["top1"][:, k - 1]
        n_equal[:, k] = np.where(is_equal, n_equal[:, k - 1] + 1, 1)
    return n_equal >= threshold
