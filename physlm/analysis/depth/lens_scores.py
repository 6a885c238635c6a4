"""Scores of the states that a lens reads."""

from jaxtyping import Float
from torch import Tensor

from physlm.analysis.depth.scores import Scores, Workspace
from physlm.analysis.lenses.lens import Lens
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel


def require_lens_of(lens: Lens, model: LanguageModel) -> None:
    """Verify that a lens reads the states of a model.

    Raises:
        InputError: If it has another number of blocks.
    """
    if lens.n_layers != model.n_layers:
        raise InputError(
            f"the lens has {lens.n_layers} layers, and the model has {model.n_layers}; fit a lens "
            "on this model"
        )


def scores_of(
    lens: Lens, residual: Float[Tensor, "n width"], state: int, workspace: Workspace
) -> Scores:
    """Scores of a state, read by a lens.

    Args:
        lens: The lens.
        residual: The state at several positions.
        state: Its number.
        workspace: Memory for the scores; they are valid until it is used for others.

    Raises:
        InputError: If they are not finite.
    """
    scores = Scores(lens.logits(residual, state), workspace)
    if not scores.entropy_nats.isfinite().all():
        raise InputError(f"scores at state {state} are not finite; fit the lens again")
    return scores
