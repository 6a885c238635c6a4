"""ALiBi and H-ALiBi: attention scores that fall with distance, at a rate for each head."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.components import PositionEncoding


def slopes_and_reach(position: PositionEncoding, n_heads: int) -> Float[Tensor, "2 heads"] | None:
    """The slope of scores over distance, and the distance from which on nothing is seen.

    ALiBi gives head h = 1..H the slope 2^(-8h/H). H-ALiBi lets head h of the first half of the
    heads see its h nearest tokens, itself included, and does nothing to the others.

    Returns:
        Both by head; None for positions of another kind.

    Source:
        Press, Smith and Lewis (2022), Train Short, Test Long; Jelassi et al. (2024), Repeat After
        Me, for H-ALiBi.
    """
    heads = torch.arange(1, n_heads + 1, dtype=torch.float64)
    nothing = torch.zeros(n_heads, dtype=torch.float64)
    if position is PositionEncoding.alibi:
        return torch.stack((torch.exp2(-8 * heads / n_heads), nothing + math.inf)).float()
    if position is PositionEncoding.h_alibi:
        is_hard = heads <= n_heads // 2
        return torch.stack((nothing, torch.where(is_hard, heads, math.inf))).float()
    return None


def distance_bias(
    by_head: Float[Tensor, "2 heads"], distance: Int[Tensor, "*shape"]
) -> Float[Tensor, "heads *shape"]:
    """Terms of attention scores, by head and distance from a token back to another."""
    slopes, reach = (x.view(-1, *[1] * distance.dim()) for x in by_head)
    bias: Tensor = (-slopes * distance).masked_fill(distance >= reach, -math.inf)
    return bias
