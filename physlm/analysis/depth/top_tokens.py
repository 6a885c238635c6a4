"""The likeliest tokens at every state of a model."""

from collections.abc import Callable

import polars as pl
from jaxtyping import Int
from torch import Tensor

from physlm.analysis.depth.compared_states import compared_states
from physlm.analysis.depth.measured_columns import measured_column
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.scores import Scores
from physlm.analysis.lenses.lens import Lens
from physlm.models.language_model import LanguageModel


def top_tokens(
    model: LanguageModel,
    tokens: Int[Tensor, "batch seq"],
    lens: Lens,
    positions: Positions,
    *,
    k: int = 10,
    batch_size: int = 32,
) -> pl.DataFrame:
    """The likeliest tokens at every state, as one row per prediction in the order of ``trace``.

    Columns are ``top_tokens`` and ``top_probabilities``, arrays of ``k`` numbers for each state,
    the likeliest first.

    Args:
        model: A causal model.
        tokens: Token ids, padded on the right.
        lens: Reads the scores of each state.
        positions: The predictions.
        k: Tokens per state; all of the vocabulary if it has fewer.
        batch_size: Windows of one forward pass.

    Raises:
        InputError: As ``trace``.
    """
    n_top = min(k, model.vocabulary_size)

    def measured(scores: Scores) -> dict[str, Tensor]:
        return dict(zip(("top_tokens", "top_probabilities"), scores.top(n_top), strict=True))

    def compare(_final: Scores, _rows: Tensor) -> Callable[[Scores], dict[str, Tensor]]:
        return measured

    _, found = compared_states(
        model, tokens, lens, positions, compare, states=None, batch_size=batch_size
    )
    return pl.DataFrame([measured_column(name, values) for name, values in found.items()])
