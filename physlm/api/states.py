"""Internal states of a run's model on a text: predictions, residual stream, attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from torch import Tensor

    from physlm.api.runs import Run


class Residuals(NamedTuple):
    """The residual stream while a model reads a text.

    Attributes:
        tokens: The text of each token, as the model reads it.
        states: Numbers of the states; state k is the residual stream after k blocks.
        values: ``states x tokens x width``, without the final norm.
    """

    tokens: list[str]
    states: list[int]
    values: np.ndarray


class AttentionPatterns(NamedTuple):
    """Attention weights while a model reads a text.

    Attributes:
        tokens: The text of each token, as the model reads it.
        layers: Numbers of the layers, from 0.
        values: ``layers x heads x queries x keys``; the weights of a query sum to 1.
    """

    tokens: list[str]
    layers: list[int]
    values: np.ndarray


def logit_lens(of: Run, text: str) -> pl.DataFrame:
    """Next-token predictions of every state after each token of a text, by the logit lens.

    Args:
        of: The run.
        text: In the vocabulary of its world.

    Returns:
        One row per token and state: ``position`` and ``token``, ``state`` (0 is the embedding, the
        last what the model predicts), ``prediction`` and its ``probability``, ``kl_nats`` (the
        divergence KL(model || state)), and ``final_rank`` (the state's rank of the token that the
        model predicts).

    Raises:
        InputError: If the model is an encoder, or does not know a word.
    """
    import polars as pl

    from physlm.analysis.depth import Positions, trace
    from physlm.analysis.lenses import LogitLens

    tokens, ids = _read(of, text)
    by_state = ["state", "top1", "top1_probability", "kl_nats", "final_rank"]
    rows = trace(of.model, ids, LogitLens(of.model), Positions(skip_first=0))
    rows = rows.select("position", *by_state).explode(by_state)
    texts = of.subject.texts_of(rows["top1"].to_list())
    return rows.select(
        "position",
        pl.col("position").replace_strict(dict(enumerate(tokens))).alias("token"),
        "state",
        pl.col("top1").replace_strict(texts).alias("prediction"),
        pl.col("top1_probability").alias("probability"),
        "kl_nats",
        "final_rank",
    )


def residuals(of: Run, text: str, states: Sequence[int] | None = None) -> Residuals:
    """The residual stream while a model reads a text.

    Args:
        of: The run.
        text: In the vocabulary of its world.
        states: State numbers, from 0 (the embedding) to the number of layers; None for all.

    Raises:
        InputError: If there is no such state, or the model does not know a word.
    """
    tokens, ids = _read(of, text)
    wanted = list(range(of.model.n_layers + 1)) if states is None else list(states)
    values = of.model.residuals(ids, wanted)[:, 0].detach()
    return Residuals(tokens, wanted, values.float().cpu().numpy())


def attention_patterns(
    of: Run, text: str, layers: Sequence[int] | None = None
) -> AttentionPatterns:
    """Attention weights while a model reads a text.

    Args:
        of: The run.
        text: In the vocabulary of its world.
        layers: Layers, counted from 0; None for all.

    Raises:
        InputError: If there is no such layer, the model has no attention weights, or it does not
            know a word.
    """
    import numpy as np

    tokens, ids = _read(of, text)
    found = [
        (n, own[0].float().cpu().numpy()) for n, own in of.model.attention_patterns(ids, layers)
    ]
    return AttentionPatterns(tokens, [n for n, _ in found], np.stack([own for _, own in found]))


def _read(of: Run, text: str) -> tuple[list[str], Tensor]:
    """The tokens of a text, as texts, and as a batch of one row of ids."""
    import torch

    row = of.subject.tokens_of(text)
    texts = of.subject.texts_of(row)
    return [texts[token] for token in row], torch.tensor([row], device=of.model.device)
