"""Spectral terms of the training loss, and their controls.

Gradients flow through eigenvalues, never through eigenvectors, whose derivatives divide by
differences of eigenvalues.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from physlm.models.architecture import PenaltyConfig
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.models.penalty import Penalty


class PenaltyKind(str, Enum):
    """What is measured in every layer; the mean over windows and heads is penalised.

    - ``smoothness``: tr(X' L X) / tr(X' X) of the residual stream after the block on the graph of
      each head. Each token is scaled to unit root mean square. Large values are rough.
    - ``heat_trace``: the mean of exp(-lambda) over eigenvalues.
    - ``fiedler``: the second smallest eigenvalue.
    - ``entropy``: entropy of the rows of the map, over that of uniform rows. No spectrum: the
      control of equal strength.
    """

    smoothness = "smoothness"
    heat_trace = "heat_trace"
    fiedler = "fiedler"
    entropy = "entropy"


@register("penalty", "attention")
@dataclass(kw_only=True, slots=True)
class AttentionPenaltyConfig(PenaltyConfig):
    """A term of the loss made of attention weights; L is the symmetric normalised Laplacian.

    Attributes:
        kind: What is measured.
        weight: Times the mean over layers, windows and heads, in nats per target; negative to
            reward what is measured.
        permuted: Whether the tokens of each map are permuted, the same way in all of training: a
            control with the same spectrum, in which weights have no relation to the states.
    """

    kind: PenaltyKind = PenaltyKind.smoothness
    weight: float = 0.1
    permuted: bool = False

    def validate(self) -> None:
        """A weight other than 0, and a permutation for smoothness alone."""
        if self.weight == 0:
            raise ValueError("weight=0; leave +penalty out")
        if self.permuted and self.kind is not PenaltyKind.smoothness:
            raise ValueError(
                f"permuted=true with kind={self.kind.value}, which does not depend on the order of "
                "tokens; use kind=smoothness"
            )

    def build(self, seq_len: int, seed: int) -> "Penalty":
        """The term, for windows of up to ``seq_len`` tokens."""
        from physlm.analysis.spectra.penalty_terms import AttentionPenalty

        return AttentionPenalty(self, seq_len, seed)
