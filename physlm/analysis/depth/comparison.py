"""Comparison of the scores at any state with the final ones, the next token, and the truth."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.depth.scores import Scores


class Comparison:
    """What the scores of every state are compared with, for several predictions.

    Args:
        final: The model's own scores.
        targets: The tokens that follow; -1 where there is none, and its results mean nothing.
        truth: True distributions of the next token; None if they are not known.
        is_member: 1 where a token is in a group; None to measure no group's probability.

    Attributes:
        final: The model's top-1 token.
        final_probability: Its probability.
        true_entropy_nats: Entropy of the true distributions; None if they are not known.
    """

    def __init__(
        self,
        final: Scores,
        targets: Int[Tensor, " n"],
        truth: Float[Tensor, "n vocab"] | None,
        is_member: Float[Tensor, "vocab groups"] | None,
    ) -> None:
        self.final, self.final_probability = final.top1, final.top1_probability
        self._probabilities = final.probabilities()
        self._final_entropy = final.cross_entropy(self._probabilities)
        self._targets, self._truth, self._is_member = targets, truth, is_member
        self.true_entropy_nats = None if truth is None else torch.special.entr(truth).sum(dim=-1)

    def quantities(self, scores: Scores) -> dict[str, Tensor]:
        """Measurements of each prediction at one state, by name; see ``trace``."""
        found = {
            "top1": scores.top1,
            "top1_probability": scores.top1_probability,
            "final_rank": scores.rank(self.final),
            "target_rank": scores.rank(self._targets),
            # At state L the very same sum is subtracted, so the divergence is exactly 0.
            "kl_nats": scores.cross_entropy(self._probabilities) - self._final_entropy,
            "entropy_nats": scores.entropy_nats,
            "target_loss_nats": scores.loss(self._targets),
        }
        if self._truth is not None and self.true_entropy_nats is not None:
            found["true_kl_nats"] = scores.cross_entropy(self._truth) - self.true_entropy_nats
        if self._is_member is not None:
            found["mass"] = scores.mass(self._is_member)
        return found
