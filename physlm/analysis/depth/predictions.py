"""One row per prediction of a model: which token each state predicts, and how far from the end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.depth.buckets import Buckets
from physlm.analysis.depth.comparison import Comparison
from physlm.analysis.depth.lens import Lens, require_lens_of
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.scores import Scores, Workspace
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, chosen

# Scores held at once, for one state: about the size of the caches on a CPU.
_MOST_SCORES = {"cpu": 2**21, "cuda": 2**24}
_OF_TARGETS = ("target_rank", "target_loss_nats")


def trace(
    model: LanguageModel,
    tokens: Int[Tensor, "batch seq"],
    lens: Lens,
    positions: Positions | None = None,
    *,
    states: Sequence[int] | None = None,
    buckets: Buckets | None = None,
    truth: Float[Tensor, "batch seq vocab"] | None = None,
    batch_size: int = 32,
) -> pl.DataFrame:
    """What every state of a model predicts, as one row per prediction.

    Columns that differ by state are arrays of one length, so that ``by_state`` turns the frame into
    one row per prediction and state for a group-by, and NumPy reads them without a copy.

    - ``document``, ``position``, ``target``: see ``Positions``; ``target`` is null where the
      document ends. Then the tags.
    - ``final``, ``final_probability``: the model's own top-1 token and its probability.
    - ``state``: numbers of the states, ascending, L included.
    - ``top1``, ``top1_probability``: the lens' top-1 token and its probability.
    - ``final_rank``, ``target_rank``: rank of ``final`` and ``target``, 1 for the highest score;
      equal scores share a rank.
    - ``kl_nats``: KL divergence of the final distribution from the lens', KL(final || lens).
    - ``entropy_nats``, ``target_loss_nats``: entropy of the lens' distribution, and its loss on
      ``target``.
    - ``mass/BUCKET``: the lens' probability of each bucket, if there are buckets.
    - ``true_entropy_nats`` and, by state, ``true_kl_nats``, KL(true || lens), if the truth is
      given.

    Args:
        model: A causal model.
        tokens: Token ids, padded on the right.
        lens: Reads the scores of each state.
        positions: The predictions to analyse; None for all but the first token of each row.
        states: State numbers from 0 to L; None for all. State L is always included.
        buckets: Groups of tokens whose probability is measured.
        truth: True distribution of the token after each token.
        batch_size: Windows of one forward pass.

    Raises:
        InputError: If the model is not causal, the lens is of another depth, windows are too long,
            a state does not exist, or scores are not finite.
    """
    _check(model, tokens, lens)
    positions = positions or Positions()
    table = positions.table(tokens)
    wanted = sorted({*chosen(states, model.n_layers + 1, "state"), model.n_layers})
    workspace = Workspace()
    with torch.inference_mode():
        parts = [
            _rows(lens, chunk, wanted, buckets, workspace)
            for chunk in _chunks(model, tokens, positions, table, wanted, batch_size, truth)
        ]
    columns = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
    return _frame(table, columns, wanted)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Residuals of several predictions, with their targets and true distributions."""

    residuals: Float[Tensor, "states n width"]
    targets: Int[Tensor, " n"]
    truth: Float[Tensor, "n vocab"] | None


def _chunks(
    model: LanguageModel,
    tokens: Int[Tensor, "batch seq"],
    positions: Positions,
    table: pl.DataFrame,
    states: list[int],
    batch_size: int,
    truth: Float[Tensor, "batch seq vocab"] | None,
) -> Iterator[_Chunk]:
    """Predictions in reading order, as many at a time as their scores allow."""
    windows, offsets, targets = (
        torch.from_numpy(table[name].to_numpy(writable=True))
        for name in ("window", "offset", "target")
    )
    most_scores = _MOST_SCORES.get(model.device.type, 2**24)
    n_rows = max(1, most_scores // model.vocabulary_size)
    for first in range(0, len(tokens), batch_size):
        own = ((windows >= first) & (windows < first + batch_size)).nonzero()[:, 0]
        if not len(own):
            continue
        # Later tokens change nothing in a causal model, so what is not read is not computed.
        width = int(offsets[own].max()) + 1
        part = slice(first, first + batch_size), slice(0, width)
        segments = None if positions.segments is None else positions.segments[part]
        residuals = model.residuals(
            tokens[part].to(model.device),
            states,
            None if segments is None else segments.to(model.device),
        )
        for rows in torch.split(own, n_rows):
            window, offset = windows[rows], offsets[rows]
            yield _Chunk(
                residuals[:, window - first, offset],
                targets[rows].to(model.device),
                None if truth is None else truth[window, offset].to(model.device),
            )


def _rows(
    lens: Lens, chunk: _Chunk, states: list[int], buckets: Buckets | None, workspace: Workspace
) -> dict[str, Tensor]:
    """Columns of one chunk: numbers ``[n]``, and arrays ``[n, states]``."""
    is_member = None if buckets is None else buckets.membership().to(chunk.targets.device)

    def scores(i: int) -> Scores:
        found = Scores(lens.logits(chunk.residuals[i], states[i]), workspace)
        if not found.entropy_nats.isfinite().all():
            raise InputError(f"scores at state {states[i]} are not finite; fit the lens again")
        return found

    final = scores(-1)
    comparison = Comparison(final, chunk.targets, chunk.truth, is_member)
    last = comparison.quantities(final)
    by_state = [comparison.quantities(scores(i)) for i in range(len(states) - 1)] + [last]
    columns = {name: torch.stack([row[name] for row in by_state], dim=1) for name in last}
    if buckets is not None:
        mass = columns.pop("mass")
        columns |= {f"mass/{name}": mass[..., b] for b, name in enumerate(buckets.names)}
    if comparison.true_entropy_nats is not None:
        columns["true_entropy_nats"] = comparison.true_entropy_nats
    return columns | {"final": comparison.final, "final_probability": comparison.final_probability}


def _frame(table: pl.DataFrame, columns: dict[str, np.ndarray], states: list[int]) -> pl.DataFrame:
    """The positions and what was measured, null where there is no target."""
    has_target = table["target"] >= 0
    number = np.broadcast_to(np.array(states, np.int32), (len(table), len(states)))
    scalars = {name: values for name, values in columns.items() if values.ndim == 1}
    arrays = {"state": number} | {n: values for n, values in columns.items() if values.ndim == 2}
    return table.drop("window", "offset").with_columns(
        _column("target", table["target"].to_numpy(), has_target),
        *(_column(name, values) for name, values in scalars.items()),
        *(
            _column(name, values, has_target if name in _OF_TARGETS else None)
            for name, values in arrays.items()
        ),
    )


def _column(name: str, values: np.ndarray, is_kept: pl.Series | None = None) -> pl.Series:
    """A column of numbers or of arrays of numbers; null in rows that are not kept."""
    dtype = np.int32 if values.dtype.kind == "i" else np.float32
    column = pl.Series(name, values.astype(dtype).ravel())
    if is_kept is not None:
        # Null entries instead of null arrays: only arrays of one length can be exploded together.
        per_row = 1 if values.ndim == 1 else values.shape[1]
        is_kept = pl.Series(np.repeat(is_kept.to_numpy(), per_row))
        column = column.zip_with(is_kept, pl.Series(name, [None], column.dtype))
    return column if values.ndim == 1 else column.reshape(values.shape)


def _check(model: LanguageModel, tokens: Int[Tensor, "batch seq"], lens: Lens) -> None:
    if not model.is_causal:
        raise InputError("an encoder predicts no next token; trace a causal model")
    require_lens_of(lens, model)
    longest = model.longest_window
    if longest is not None and tokens.shape[1] > longest:
        raise InputError(
            f"windows of {tokens.shape[1]} tokens exceed the model's {longest}; give shorter texts"
        )
