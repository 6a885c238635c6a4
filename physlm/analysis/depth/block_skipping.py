"""Predictions of a model without one of its blocks."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import torch
from jaxtyping import Int
from torch import Tensor

from physlm.analysis.depth.compared_streams import compared_streams
from physlm.analysis.depth.comparison import Comparison
from physlm.analysis.depth.depth_means import by_state
from physlm.analysis.depth.document_means import document_means
from physlm.analysis.depth.measured_columns import integers, measured_column, state_column
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.scores import Scores
from physlm.models.language_model import LanguageModel


def trace_skipping(
    model: LanguageModel,
    tokens: Int[Tensor, "batch seq"],
    positions: Positions | None = None,
    *,
    batch_size: int = 32,
) -> pl.DataFrame:
    """What a model predicts without each of its blocks, as one row per prediction.

    The residual stream passes block k unchanged: block k + 1 reads state k, at all positions.
    Columns that differ by block are arrays, as those of ``trace``.

    - ``document``, ``position``, ``target``, ``final`` and the tags, as in ``trace``.
    - ``block``: numbers of the blocks, from 0 to L - 1.
    - ``top1``: the top-1 token without the block.
    - ``kl_nats``: KL(whole model || without the block).
    - ``loss_change_nats``: loss on the target without the block, minus that of the whole model.

    Args:
        model: A causal model with ``forward_from``.
        tokens: Token ids, padded on the right.
        positions: The predictions to analyse; None for all but the first token of each row.
        batch_size: Windows of one forward pass.

    Raises:
        InputError: If the model cannot start from a state, or for the reasons of ``trace``.
    """
    positions = positions or Positions()
    table = positions.table(tokens)
    targets = integers(table, "target")

    def without_each_block(batch: Tensor, segments: Tensor | None) -> Tensor:
        states = model.residuals(batch, None, segments)
        shorter = [model.forward_from(states[k], k + 1, segments) for k in range(model.n_layers)]
        return torch.stack([*shorter, states[-1]])

    def compare(final: Scores, rows: Tensor) -> Callable[[Scores], dict[str, Tensor]]:
        return Comparison(final, targets[rows].to(model.device), None, None).quantities

    found = compared_streams(
        model,
        tokens,
        positions,
        streams=without_each_block,
        read=lambda residual, _, workspace: Scores(model.unembed(residual), workspace),
        compare=compare,
        batch_size=batch_size,
    )
    return _frame(table, found)


def skipping_means(rows: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Mean change of the loss, divergence, and agreement with the whole model, by block.

    See ``document_means``.
    """
    every = by_state(rows).with_columns((pl.col("top1") == pl.col("final")).alias("agreement"))
    return document_means(every, ["agreement", "kl_nats", "loss_change_nats"], [*by, "block"])


def _frame(table: pl.DataFrame, found: dict[str, np.ndarray]) -> pl.DataFrame:
    """The positions and what was measured; the last measurements are those of the whole model."""
    has_target = (table["target"] >= 0).to_numpy()
    loss = found["target_loss_nats"]
    return table.drop("window", "offset").with_columns(
        measured_column("target", table["target"].to_numpy(), has_target),
        measured_column("final", found["top1"][:, -1]),
        state_column(list(range(loss.shape[1] - 1)), len(table)).alias("block"),
        measured_column("top1", found["top1"][:, :-1]),
        measured_column("kl_nats", found["kl_nats"][:, :-1]),
        measured_column("loss_change_nats", loss[:, :-1] - loss[:, -1:], has_target),
    )
