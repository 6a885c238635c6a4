"""Weights of a lens' updates by the frequency of tokens, to see whether frequent ones dominate it.

Frequent tokens are cheap to predict, so a lens may predict them because its own training rewards
it. What remains when their updates are weighted by 1/1000 is due to the model.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.lenses.config import TunedLensConfig, WeightBy
from physlm.errors import InputError


@dataclass(frozen=True, slots=True)
class UpdateWeights:
    """Weights of positions and vocabulary entries in the loss of a lens.

    Attributes:
        frequent: Ids of the frequent tokens.
        weight: Weight of updates from frequent tokens; that of others is 1.
        by: ``position`` weights positions at which the model's top-1 is frequent; ``entry`` weights
            frequent tokens within the divergence, where even the optimum underestimates them.

    Source:
        Gupta et al. (2025), How Do LLMs Use Their Depth?, describe the retraining without saying
        which of the two is meant.
    """

    frequent: Int[Tensor, " tokens"]
    weight: float = 1.0
    by: WeightBy = WeightBy.position

    @classmethod
    def of(
        cls, config: TunedLensConfig, frequent: Int[Tensor, " tokens"] | None
    ) -> "UpdateWeights":
        """The weights that a configuration selects.

        Raises:
            InputError: If frequent tokens have a weight, and none are given.
        """
        if frequent is None:
            if config.frequent_weight != 1:
                raise InputError(
                    f"frequent_weight={config.frequent_weight} weights the updates of frequent "
                    "tokens; give their ids as `frequent`"
                )
            frequent = torch.zeros(0, dtype=torch.long)
        return cls(frequent, config.frequent_weight, config.weight_by)

    def of_positions(self, last_logits: Float[Tensor, "tokens vocab"]) -> Float[Tensor, " tokens"]:
        """Weight of each position, from the model's own scores."""
        weights = torch.ones_like(last_logits[:, 0])
        if self.weight != 1 and self.by == WeightBy.position:
            is_frequent = torch.isin(last_logits.argmax(-1), self.frequent.to(last_logits.device))
            weights[is_frequent] = self.weight
        return weights

    def of_entries(
        self, probabilities: Float[Tensor, "tokens vocab"]
    ) -> Float[Tensor, "tokens vocab"]:
        """Probabilities, multiplied by the weight of each vocabulary entry."""
        if self.weight == 1 or self.by == WeightBy.position:
            return probabilities
        weights = torch.ones_like(probabilities[0])
        weights[self.frequent.to(weights.device)] = self.weight
        return probabilities * weights
