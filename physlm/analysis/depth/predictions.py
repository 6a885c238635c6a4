"""Rows of predictions: which token each state predicts, and how far that is from state L."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from polars import selectors
from torch import Tensor

from physlm.analysis.depth.buckets import Buckets
from physlm.analysis.depth.compared_states import compared_states
from physlm.analysis.depth.comparison import Comparison
from physlm.analysis.depth.measured_columns import integers, measured_column, state_column
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.scores import Scores
from physlm.analysis.lenses.lens import Lens
from physlm.models.language_model import LanguageModel

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
        states: State numbers from 0 to L; None for all that the lens reads. State L is always
            included.
        buckets: Groups of tokens whose probability is measured.
        truth: True distribution of the token after each token.
        batch_size: Windows of one forward pass.

    Raises:
        InputError: If the model is not causal, the lens has another depth, windows are too long, a
            state does not exist, or scores are not finite.
    """
    positions = positions or Positions()
    table = positions.table(tokens)
    windows, offsets, targets = (integers(table, name) for name in ("window", "offset", "target"))
    is_member = None if buckets is None else buckets.membership().to(model.device)

    def compare(final: Scores, rows: Tensor) -> Callable[[Scores], dict[str, Tensor]]:
        known = None if truth is None else truth[windows[rows], offsets[rows]].to(model.device)
        return Comparison(final, targets[rows].to(model.device), known, is_member).quantities

    numbers, found = compared_states(
        model, tokens, lens, positions, compare, states=states, batch_size=batch_size
    )
    if buckets is not None:
        mass = found.pop("mass")
        found |= {f"mass/{name}": mass[..., b] for b, name in enumerate(buckets.names)}
    return _frame(table, found, numbers)


def _frame(table: pl.DataFrame, found: dict[str, np.ndarray], states: list[int]) -> pl.DataFrame:
    """The positions and what was measured, null where there is no target."""
    has_target = (table["target"] >= 0).to_numpy()
    table = table.with_columns(selectors.float().fill_nan(None))  # unknown truths of a world
    found |= {"final": found["top1"][:, -1], "final_probability": found["top1_probability"][:, -1]}
    if "true_entropy_nats" in found:
        found["true_entropy_nats"] = found["true_entropy_nats"][:, -1]
    measured = [
        measured_column(name, values, has_target if name in _OF_TARGETS else None)
        for name, values in found.items()
    ]
    return table.drop("window", "offset").with_columns(
        measured_column("target", table["target"].to_numpy(), has_target),
        state_column(states, len(table)),
        *measured,
    )
