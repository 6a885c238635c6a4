"""Comparison of every state's scores at chosen positions, a few predictions at a time."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.depth.lens import Lens, require_lens_of, scores_of
from physlm.analysis.depth.measured_columns import integers
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.scores import Scores, Workspace
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, chosen

# Scores of one chunk at one state: about the size of the caches on a CPU.
_MOST_SCORES = {"cpu": 2**21, "cuda": 2**24}


# Makes, from the final scores of several predictions and their row numbers, the function that
# measures the scores of any state: ``[n]`` or ``[n, parts]`` by name.
Compare = Callable[[Scores, Tensor], Callable[[Scores], dict[str, Tensor]]]


def compared_states(
    model: LanguageModel,
    tokens: Int[Tensor, "batch seq"],
    lens: Lens,
    positions: Positions,
    compare: Compare,
    *,
    states: Sequence[int] | None,
    batch_size: int,
) -> tuple[list[int], dict[str, np.ndarray]]:
    """Compare the scores of every state with those of state L, and with what else is known.

    Args:
        model: A causal model.
        tokens: Token ids, padded on the right.
        lens: Reads the scores of each state.
        positions: The predictions.
        compare: Makes what measures the scores of a state, from the final scores of several
            predictions and their row numbers in the table of positions.
        states: State numbers from 0 to L; None for all. State L is always included.
        batch_size: Windows of one forward pass.

    Returns:
        Numbers of the states, and the measurements by name, ``[n, states]`` or
        ``[n, states, parts]``.

    Raises:
        InputError: If the model is not causal, the lens is of another depth, windows are too long,
            a state does not exist, or scores are not finite.
    """
    _check(model, tokens, lens)
    table = positions.table(tokens)
    numbers = sorted({*chosen(states, model.n_layers + 1, "state"), model.n_layers})
    workspace = Workspace()
    with torch.inference_mode():
        parts = [
            _measured(lens, residuals, numbers, workspace, rows, compare)
            for rows, residuals in _chunks(model, tokens, positions, table, numbers, batch_size)
        ]
    found = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
    return numbers, found


def _chunks(
    model: LanguageModel,
    tokens: Int[Tensor, "batch seq"],
    positions: Positions,
    table: pl.DataFrame,
    states: list[int],
    batch_size: int,
) -> Iterator[tuple[Int[Tensor, " n"], Float[Tensor, "states n width"]]]:
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
        residuals = model.residuals(
            tokens[part].to(model.device),
            states,
            None if segments is None else segments.to(model.device),
        )
        for rows in torch.split(own, n_rows):
            yield rows, residuals[:, windows[rows] - first, offsets[rows]]


def _measured(
    lens: Lens,
    residuals: Float[Tensor, "all n width"],
    states: list[int],
    workspace: Workspace,
    rows: Int[Tensor, " n"],
    compare: Compare,
) -> dict[str, Tensor]:
    """Measurements of one chunk."""
    final = scores_of(lens, residuals[-1], states[-1], workspace)
    measure = compare(final, rows)
    # The final scores come first, and the workspace holds the scores of one state at a time.
    last = measure(final)
    earlier = [
        measure(scores_of(lens, residual, k, workspace))
        for residual, k in zip(residuals[:-1], states[:-1], strict=True)
    ]
    return {name: torch.stack([row[name] for row in (*earlier, last)], dim=1) for name in last}


def _check(model: LanguageModel, tokens: Int[Tensor, "batch seq"], lens: Lens) -> None:
    if not model.is_causal:
        raise InputError("an encoder predicts no next token; trace a causal model")
    require_lens_of(lens, model)
    longest = model.longest_window
    if longest is not None and tokens.shape[1] > longest:
        raise InputError(
            f"windows of {tokens.shape[1]} tokens exceed the model's {longest}; give shorter texts"
        )
