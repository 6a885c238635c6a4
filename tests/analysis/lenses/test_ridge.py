"""The closed form against NumPy's least squares and against known translators."""

import numpy as np
import pytest
import torch

from physlm.analysis.lenses import TunedLens
from physlm.analysis.lenses.config import TunedLensConfig
from physlm.analysis.lenses.divergence import kl_to_final
from physlm.analysis.lenses.ridge import ridge_translators
from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.errors import InputError
from tests.analysis.lenses.affine_stream import AffineStream

NO_WEIGHTS = UpdateWeights(torch.zeros(0, dtype=torch.long))


def tokens(n=64):
    return torch.randint(11, (n, 8), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_an_affine_stream_is_read_without_divergence():
    model = AffineStream()
    config = TunedLensConfig(optimizer="none", ridge=1e-12)
    lens = TunedLens.fit(model, tokens(), config)
    weight, bias = model.translators()
    torch.testing.assert_close(lens.weight, weight, atol=1e-8, rtol=0)
    torch.testing.assert_close(lens.bias, bias, atol=1e-8, rtol=0)
    states = next(iter(StatePool(model, Windows(tokens(16)), skip_first=0, seed=0)))
    assert kl_to_final(lens, states).abs().max() < 1e-12


def least_squares(x, y, weights, strength):
    """Ridge regression as ordinary least squares with rows added for the regularisation."""
    weights = weights / weights.sum()
    x_mean, change_mean = weights @ x, weights @ (y - x)
    root = np.sqrt(weights)[:, None]
    centred, changes = root * (x - x_mean), root * (y - x - change_mean)
    added = np.sqrt(strength * (centred**2).sum() / x.shape[1]) * np.eye(x.shape[1])
    rows = np.concatenate([centred, added])
    targets = np.concatenate([changes, np.zeros_like(added)])
    weight = np.linalg.lstsq(rows, targets, rcond=None)[0]
    return weight, change_mean - x_mean @ weight


@pytest.mark.parametrize("n_kept", [2**28, 2000])
@pytest.mark.parametrize("frequent_weight", [1.0, 0.001])
def test_ridge_is_weighted_least_squares(n_kept, frequent_weight):
    torch.manual_seed(0)
    model = AffineStream()
    # A stream that is not affine, so that the solution depends on weights and regularisation.
    plain = model.residuals
    model.residuals = lambda *given, **named: plain(*given, **named).sin() * 3
    pool = StatePool(model, Windows(tokens()), skip_first=2, seed=0, n_kept=n_kept)
    frequent = torch.tensor([1, 4])
    found = ridge_translators(pool, 0.1, UpdateWeights(frequent, frequent_weight))
    states = torch.cat(list(pool), dim=1).detach()
    assert states.shape == (4, 64 * 6, 6)
    top = model.unembed(states[-1]).argmax(-1)
    is_frequent = ((top == 1) | (top == 4)).numpy()
    assert 0 < is_frequent.mean() < 1
    states = states.numpy()
    weights = np.where(is_frequent, frequent_weight, 1.0) / (states[-1] ** 2).sum(-1)
    for k in range(3):
        weight, bias = least_squares(states[k], states[-1], weights, 0.1)
        np.testing.assert_allclose(found[0][k], weight, atol=1e-10)
        np.testing.assert_allclose(found[1][k], bias, atol=1e-10)


def test_a_constant_state_and_a_last_state_of_zeros_are_refused():
    model = AffineStream()
    pool = StatePool(model, Windows(torch.full((4, 8), 3)[:, :1]), skip_first=0, seed=0)
    with pytest.raises(InputError, match="state 0 is the same at all tokens"):
        ridge_translators(pool, 1e-4, NO_WEIGHTS)
    model.residuals = lambda tokens, *_, **__: torch.zeros(4, *tokens.shape, 6).double()
    pool = StatePool(model, Windows(tokens()), skip_first=0, seed=0)
    with pytest.raises(InputError, match="state L is 0, NaN or infinite"):
        ridge_translators(pool, 1e-4, NO_WEIGHTS)
