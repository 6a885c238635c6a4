"""Yardsticks against brute force over whole tables of probabilities."""

import pytest
import torch

from physlm.analysis.lenses import LogitLens
from physlm.analysis.lenses.config import WeightBy
from physlm.analysis.lenses.divergence import kl_to_final
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.analysis.lenses.yardsticks import (
    constant_prediction,
    constant_yardstick,
    context_yardstick,
    marginal_bias,
    skill,
)


def kl(p, q):
    return (p * (p.log() - q.log())).sum(-1)


@pytest.fixture
def probabilities(model, held_out):
    return model.unembed(held_out[-1]).softmax(-1).double().detach()


@pytest.mark.parametrize("n_scores", [2**24, 1000])
def test_the_constant_predictor_is_the_mean_and_nothing_else_is_better(
    model, held_out, probabilities, n_scores, monkeypatch
):
    monkeypatch.setattr("physlm.analysis.lenses.divergence._SCORES", n_scores)
    mean = probabilities.mean(0)
    found = constant_yardstick(model, held_out[-1])
    assert found.kl_nats == pytest.approx(kl(probabilities, mean).mean().item(), abs=1e-5)
    assert found.singleton_fraction == 0
    for change in (0.01, -0.01):
        other = mean.clone()
        other[3] *= 1 + change
        other /= other.sum()
        assert kl(probabilities, other).mean() > found.kl_nats


@pytest.mark.parametrize("n_scores", [2**24, 1000])
def test_the_best_predictor_of_a_context_is_the_mean_in_it(
    model, held_out, probabilities, n_scores, monkeypatch
):
    monkeypatch.setattr("physlm.analysis.lenses.divergence._SCORES", n_scores)
    contexts = torch.randint(0, 400, held_out.shape[1:2], generator=torch.Generator())
    contexts[:500], contexts[7] = 3, 401
    sums = torch.zeros(402, probabilities.shape[1]).double().index_add(0, contexts, probabilities)
    counts = contexts.bincount()
    expected = kl(probabilities, (sums / counts[:, None])[contexts]).mean().item()
    found = context_yardstick(model, held_out[-1], contexts)
    assert found.kl_nats == pytest.approx(expected, abs=1e-5)
    assert found.singleton_fraction == (counts == 1).sum() / len(contexts)
    assert found.singleton_fraction > 0


def test_state_0_is_no_better_than_the_token_alone(model, tuned, held_out):
    contexts = held_out[0].unique(dim=0, return_inverse=True)[1]  # equal tokens, equal embeddings
    yardstick = context_yardstick(model, held_out[-1], contexts)
    found = kl_to_final(tuned, held_out).mean(1)
    assert found[0] >= yardstick.kl_nats
    assert yardstick.kl_nats < constant_yardstick(model, held_out[-1]).kl_nats


def test_a_predictor_that_knows_each_token_apart_is_perfect_and_says_so(model, held_out):
    last = held_out[-1, :100]
    found = context_yardstick(model, last, torch.arange(100))
    assert (found.kl_nats, found.singleton_fraction) == (pytest.approx(0, abs=1e-6), 1)


@pytest.mark.parametrize("n_scores", [2**24, 1000])
def test_bias_is_that_of_the_mean_predictions(
    model, held_out, probabilities, n_scores, monkeypatch
):
    monkeypatch.setattr("physlm.analysis.lenses.divergence._SCORES", n_scores)
    found = marginal_bias(LogitLens(model), held_out)
    assert found[-1] == 0
    for k, bias in enumerate(found[:-1]):
        mean = model.unembed(held_out[k]).softmax(-1).double().mean(0).detach()
        assert bias.item() == pytest.approx(kl(probabilities.mean(0), mean).item(), abs=1e-5)


def test_fitting_removes_bias(model, tuned, held_out):
    before, after = (marginal_bias(lens, held_out) for lens in (LogitLens(model), tuned))
    assert (after[:-1] < 0.3 * before[:-1]).all()


def test_skill_is_1_for_the_model_and_0_for_its_mean(model, held_out):
    constant = constant_yardstick(model, held_out[-1])
    kl_nats = torch.tensor([0.0, constant.kl_nats, 2 * constant.kl_nats])
    torch.testing.assert_close(skill(kl_nats, constant), torch.tensor([1.0, 0.0, -1.0]))


@pytest.mark.parametrize("by", list(WeightBy))
def test_the_constant_predictor_under_weights_minimises_the_weighted_loss(
    model, held_out, probabilities, by
):
    frequent = probabilities.mean(0).topk(5).indices
    found = constant_prediction(model, held_out[-1], UpdateWeights(frequent, 0.01, by))
    at, entry = torch.ones(len(probabilities)).double(), torch.ones(probabilities.shape[1]).double()
    if by == WeightBy.position:
        at[torch.isin(probabilities.argmax(-1), frequent)] = 0.01
    else:
        entry[frequent] = 0.01
    z = torch.zeros(probabilities.shape[1]).double().requires_grad_()
    optimizer = torch.optim.LBFGS([z], max_iter=500, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = -(at[:, None] * entry * probabilities * z.log_softmax(-1)).sum() / at.sum()
        value.backward()
        return value

    optimizer.step(loss)
    torch.testing.assert_close(found, z.detach().softmax(-1), atol=1e-3, rtol=1e-2)
