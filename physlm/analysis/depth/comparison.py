"""Comparison of the scores at any state with the final ones, the next token, and the truth."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.depth.scores import Scores


class Comparison:
    """What the scores of every state are compared with, for several predictions.

    Args:
        final: The model's own scores.
        targets: The tokens that follow; -1 where there is none, whose results are meaningless.
        truth: True distributions of the next token; None if they are not known.
        is_member: 1 where a token is in a group; None to measure no group's probability.
    """

    def __init__(
        self,
        final: Scores,
        targets: Int[Tensor, " n"],
        truth: Float[Tensor, "n vocab"] | None,
        is_member: Float[Tensor, "vocab groups"] | None,
    ) -> None:
        self._final = final.top1
        self._probabilities = final.probabilities()
        self._final_entropy = final.cross_entropy(self._probabilities)
        self._targets, self._truth, self._is_member = targets, truth, is_member
        self._true_entropy = None if truth is None else torch.special.entr(truth).sum(dim=-1)

    def quantities(self, scores: Scores) -> dict[str, Tensor]:
        """Measurements of each prediction at one state, by name; see ``trace``."""
        found = {
            "top1": scores.top1,
            "top1_probability": scores.top1_probability,
            "final_rank": scores.rank(self._final),
            "target_rank": scores.rank(self._targets),
            # At state L the very same sum is subtracted, so the divergence is exactly 0.
            "kl_nats": scores.cross_entropy(self._probabilities) - self._final_entropy,
            "entropy_nats": scores.entropy_nats,
            "target_loss_nats": scores.loss(self._targets),
        }
        if self._truth is not None and self._true_entropy is not None:
            found["true_entropy_nats"] = self._true_entropy
            found["true_kl_nats"] = scores.cross_entropy(self._truth) - self._true_entropy
        if self._is_member is not None:
            found["mass"] = scores.mass(self._is_member)
        return found
