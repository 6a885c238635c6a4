"""The logit lens: every state is read as if it were the last."""

from jaxtyping import Float
from torch import Tensor

from physlm.analysis.lenses.lens import Lens


class LogitLens(Lens):
    """Reads every state with the model's final norm and output head; nothing is fitted."""

    def translated(
        self,
        residual: Float[Tensor, "*any width"],
        state: int,  # noqa: ARG002
    ) -> Float[Tensor, "*any width"]:
        """The state itself."""
        return residual
