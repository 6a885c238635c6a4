"""Translators in closed form: weighted ridge regression of the last state on each state."""

import torch
from jaxtyping import Float64
from torch import Tensor

from physlm.analysis.lenses.divergence import token_chunks
from physlm.analysis.lenses.state_pool import StatePool
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.errors import InputError

_AT_ONCE = 2**23  # numbers in fp64
_ROUNDING = 1e-12  # of a variance, over the mean square


@torch.no_grad()
def ridge_translators(
    pool: StatePool, strength: float, weights: UpdateWeights
) -> tuple[Float64[Tensor, "states width width"], Float64[Tensor, "states width"]]:
    """Weights and biases of h + h W + b that minimise the weighted squared error to state L.

    A token has weight 1/|state L|^2: the final norm makes scores blind to the length of a state,
    and without weights the few tokens with extreme states would decide the fit.

    Args:
        pool: The states to fit.
        strength: Strength of the regularisation, which pulls W to 0, over the mean variance of a
            state's coordinates.
        weights: Weights of positions by the frequency of their top-1.

    Raises:
        InputError: If a state is the same at all tokens, or not finite.
    """
    moments = sum(_moments(shard, pool, weights) for shard in pool)
    assert isinstance(moments, Tensor)
    width = moments.shape[1] - 1
    # Rows: state, 1. Columns: state, 1, difference to state L.
    if not moments.isfinite().all():
        raise InputError("state L is 0, NaN or infinite at a token; fit the lens on other windows")
    moments = moments / moments[:, -1:, width : width + 1]
    state_mean, target_mean = moments[:, width, :width], moments[:, width, width + 1 :]
    products = moments[:, :width, :width]
    covariance = products - _outer(state_mean, state_mean)
    shared = moments[:, :width, width + 1 :] - _outer(state_mean, target_mean)
    scale = _mean_diagonal(covariance)
    is_constant = scale <= _ROUNDING * _mean_diagonal(products)
    if constant := is_constant.nonzero().flatten().tolist():
        raise InputError(
            f"state {constant[0]} is the same at all tokens; fit the lens on other windows"
        )
    eye = torch.eye(width, dtype=moments.dtype, device=moments.device)
    weight = torch.linalg.solve(covariance + strength * scale[:, None, None] * eye, shared)
    return weight, target_mean - torch.einsum("kd,kde->ke", state_mean, weight)


def _moments(shard: Tensor, pool: StatePool, weights: UpdateWeights) -> Tensor:
    """Weighted sums of products, which add up over shards."""
    n_states, n_tokens, width = shard.shape
    position_weights = torch.cat(
        [
            weights.of_positions(pool.model.unembed(shard[-1, part]))
            for part in token_chunks(n_tokens, pool.model)
        ]
    )
    size = max(1, _AT_ONCE // (3 * n_states * width))
    parts = zip(torch.split(shard, size, dim=1), torch.split(position_weights, size), strict=True)
    return torch.stack([_moments_of(part.double(), given) for part, given in parts]).sum(0)


def _moments_of(states: Tensor, position_weights: Tensor) -> Tensor:
    state, last = states[:-1], states[-1]
    ones = torch.ones_like(state[..., :1])
    weights = position_weights / last.square().sum(-1)
    rows = torch.cat([state, ones], dim=-1) * weights[:, None]
    return rows.mT @ torch.cat([state, ones, last - state], dim=-1)


def _outer(a: Tensor, b: Tensor) -> Tensor:
    return a[:, :, None] * b[:, None, :]


def _mean_diagonal(a: Tensor) -> Tensor:
    return a.diagonal(dim1=1, dim2=2).mean(-1)
