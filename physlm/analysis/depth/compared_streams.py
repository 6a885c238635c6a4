"""Comparison of the scores of several residual streams with the model's own, in chunks."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.depth.measured_columns import integers
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.scores import Scores, Workspace
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel

# Scores of one chunk of one stream: about the size of the caches on a CPU.
_MOST_SCORES = {"cpu": 2**21, "cuda": 2**24}

# Residual streams ``[streams, batch, seq, width]`` of tokens and segments. The last one is the
# model's own state L.
Streams = Callable[[Tensor, Tensor | None], Tensor]
# Scores at several positions of the stream with a given number.
Read = Callable[[Tensor, int, Workspace], Scores]
# Returns the function that measures the scores of any stream (``[n]`` or ``[n, parts]`` by name),
# given the model's own scores of several predictions and their row numbers.
Compare = Callable[[Scores, Tensor], Callable[[Scores], dict[str, Tensor]]]


def compared_streams(
    model: LanguageModel,
    tokens: Int[Tensor, "batch seq"],
    positions: Positions,
    *,
    streams: Streams,
    read: Read,
    compare: Compare,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Measurements of every stream at every position, ``[n, streams]`` or more, by name.

    Args:
        model: A causal model.
        tokens: Token ids, padded on the right.
        positions: The predictions.
        streams: Computes the residual streams of a batch.
        read: Computes their scores.
        compare: Returns the function that measures the scores, given the model's own scores and the
            row numbers in the table of positions.
        batch_size: Windows of one forward pass.

    Raises:
        InputError: If the model is not causal, or windows are too long.
    """
    _check(model, tokens)
    table = positions.table(tokens)
    workspace = Workspace()
    with torch.inference_mode():
        parts = [
            _measured(residuals, rows, workspace, read, compare)
            for rows, residuals in _chunks(model, tokens, positions, table, streams, batch_size)
        ]
    return {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}


def _chunks(
    model: LanguageModel,
    tokens: Int[Tensor, "batch seq"],
    positions: Positions,
    table: pl.DataFrame,
    streams: Streams,
    batch_size: int,
) -> Iterator[tuple[Int[Tensor, " n"], Float[Tensor, "streams n width"]]]:
    """Row numbers and residuals of all predictions, in the order of the table."""
    windows, offsets = (integers(table, name) for name in ("window", "offset"))
    most_scores = _MOST_SCORES.get(model.device.type, 2**24)
    n_rows = max(1, most_scores // model.vocabulary_size)
    for first in range(0, len(tokens), batch_size):
        own = ((windows >= first) & (windows < first + batch_size)).nonzero()[:, 0]
        if not len(own):
            continue
        # Later tokens change nothing in a causal model, so what is not read is not computed.
        part = slice(first, first + batch_size), slice(0, int(offsets[own].max()) + 1)
        segments = None if positions.segments is None else positions.segments[part]
        found = streams(
            tokens[part].to(model.device), None if segments is None else segments.to(model.device)
        )
        for rows in torch.split(own, n_rows):
            yield rows, found[:, windows[rows] - first, offsets[rows]]


def _measured(
    residuals: Float[Tensor, "streams n width"],
    rows: Int[Tensor, " n"],
    workspace: Workspace,
    read: Read,
    compare: Compare,
) -> dict[str, Tensor]:
    """Measurements of one chunk."""
    last = len(residuals) - 1
    final = read(residuals[last], last, workspace)
    measure = compare(final, rows)
    # The final scores come first, and the workspace holds the scores of one stream at a time.
    of_last = measure(final)
    found = [measure(read(residuals[i], i, workspace)) for i in range(last)] + [of_last]
    return {name: torch.stack([row[name] for row in found], dim=1) for name in of_last}


def _check(model: LanguageModel, tokens: Int[Tensor, "batch seq"]) -> None:
    if not model.is_causal:
        raise InputError("an encoder predicts no next token; trace a causal model")
    longest = model.longest_window
    if longest is not None and tokens.shape[1] > longest:
        raise InputError(
            f"windows of {tokens.shape[1]} tokens exceed the model's {longest}; give shorter texts"
        )
