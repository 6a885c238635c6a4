"""Comparison of the scores of every state, read by a lens, with the final ones."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from torch import Tensor

from physlm.analysis.depth.compared_streams import Compare, compared_streams
from physlm.analysis.depth.lens_scores import require_lens_of, scores_of
from physlm.analysis.depth.positions import Positions
from physlm.analysis.lenses.lens import Lens
from physlm.models.language_model import LanguageModel, chosen


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
    """Compare the scores of every state with those of state L.

    Args:
        model: A causal model.
        tokens: Token ids, padded on the right.
        lens: Reads the scores of each state.
        positions: The predictions.
        compare: Returns the function that measures the scores of a state, given the final scores of
            several predictions and their row numbers in the table of positions.
        states: State numbers from 0 to L; None for all that the lens reads. State L is always
            included.
        batch_size: Windows of one forward pass.

    Returns:
        Numbers of the states, and the measurements by name, ``[n, states]`` or
        ``[n, states, parts]``.

    Raises:
        InputError: If the model is not causal, the lens has another depth, windows are too long, a
            state does not exist, or scores are not finite.
    """
    require_lens_of(lens, model)
    read = lens.states if states is None else chosen(states, model.n_layers + 1, "state")
    numbers = sorted({*read, model.n_layers})
    found = compared_streams(
        model,
        tokens,
        positions,
        streams=lambda batch, segments: model.residuals(batch, numbers, segments),
        read=lambda residual, i, workspace: scores_of(lens, residual, numbers[i], workspace),
        compare=compare,
        batch_size=batch_size,
    )
    return numbers, found
