"""Training of translators: what it lowers, what controls it, and what it must not depend on."""

import pytest
import torch

from physlm.analysis.lenses import LogitLens, TunedLens
from physlm.analysis.lenses.config import LensOptimizer, TunedLensConfig, WeightBy
from physlm.analysis.lenses.controls import shuffled_lens
from physlm.analysis.lenses.divergence import cross_entropy, kl_to_final
from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.analysis.lenses.training import Translators, _gradients
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.analysis.lenses.yardsticks import constant_yardstick, skill
from physlm.errors import DivergedError, InputError
from tests.models.test_transformer import build


def mean_kl(lens, states):
    return kl_to_final(lens, states).mean(1)


def test_muon_lowers_what_ridge_leaves_at_every_state(model, ridge, tuned, held_out):
    logit, start, end = (mean_kl(lens, held_out) for lens in (LogitLens(model), ridge, tuned))
    assert (start[:-1] < logit[:-1]).all()
    assert (end[:-1] < start[:-1] - 0.002).all()


@pytest.mark.parametrize("optimizer", ["muon", "sgd", "adam"])
def test_every_optimizer_improves_on_the_logit_lens(model, text, held_out, optimizer):
    config = TunedLensConfig(optimizer=optimizer, start="zero", n_steps=40)
    before, after = (
        mean_kl(lens, held_out) for lens in (LogitLens(model), TunedLens.fit(model, text, config))
    )
    assert (after[:-1] < before[:-1] - 0.01).all()


def test_a_lens_of_shuffled_pairs_has_no_skill(model, text, tuned, held_out):
    control = shuffled_lens(model, Windows(text), TunedLensConfig(n_steps=60), seed=0)
    constant = constant_yardstick(model, held_out[-1])
    assert (skill(mean_kl(control, held_out)[:-1], constant) < 0.01).all()
    assert (skill(mean_kl(tuned, held_out)[1:-1], constant) > 0.1).all()


def gradients(model, batch, weights):
    width, n = batch.shape[-1], len(batch) - 1
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(n, width, width, generator=generator) * 0.05
    translators = Translators(start.clone(), torch.zeros(n, width))
    loss = _gradients(translators, model, batch, weights)
    return loss, translators.weight.grad, start


@pytest.mark.parametrize("by", list(WeightBy))
def test_the_loss_is_the_weighted_divergence_of_its_definition(model, held_out, by, monkeypatch):
    batch = held_out[:, :50]
    top = model.unembed(batch[-1]).argmax(-1)
    frequent = top.unique()[:3]
    weights = UpdateWeights(frequent, 0.001, by)
    monkeypatch.setattr("physlm.analysis.lenses.divergence._SCORES", 2000)
    loss, found, start = gradients(model, batch, weights)
    w = start.clone().requires_grad_()
    p = model.unembed(batch[-1]).softmax(-1).detach()
    log_q = model.unembed(batch[:-1] + torch.einsum("ktd,kde->kte", batch[:-1], w))
    per_entry = p * (p.log() - log_q.log_softmax(-1))
    if by == WeightBy.entry:
        per_entry = per_entry * torch.where(
            torch.isin(torch.arange(p.shape[1]), frequent), 0.001, 1.0
        )
        expected = per_entry.sum(-1).mean(1).sum()
    else:
        at = torch.where(torch.isin(top, frequent), 0.001, 1.0)
        assert 0 < (at < 1).float().mean() < 1
        expected = ((per_entry.sum(-1) * at).sum(1) / at.sum()).sum()
    expected.backward()
    torch.testing.assert_close(found, w.grad, atol=1e-6, rtol=1e-3)
    assert loss.isfinite()


def test_cross_entropy_is_torchs(held_out, model):
    logits = model.unembed(held_out[:2, :30])
    target = model.unembed(held_out[-1, :30]).softmax(-1)
    expected = [torch.nn.functional.cross_entropy(z, target, reduction="none") for z in logits]
    torch.testing.assert_close(cross_entropy(logits, target), torch.stack(expected))


def test_frequent_tokens_lose_mass_when_their_updates_are_weighted(model, text, held_out):
    average = model.unembed(held_out[-1]).softmax(-1).mean(0)
    frequent = average.topk(10).indices

    def mass(**changes):
        config = TunedLensConfig(n_steps=40, **changes)
        lens = TunedLens.fit(model, text, config, frequent=frequent)
        return lens.logits(held_out[1], 1).softmax(-1)[:, frequent].sum(-1).mean()

    true = average[frequent].sum()
    plain, entry = mass(), mass(frequent_weight=0.001, weight_by="entry")
    assert abs(plain - true) < 0.05
    assert entry < 0.7 * plain
    assert mass(frequent_weight=0.001) < plain


def test_a_long_fit_reports_its_progress(model, text, capsys, monkeypatch):
    monkeypatch.setattr("physlm.analysis.lenses.progress._SECONDS_BETWEEN_REPORTS", 0)
    TunedLens.fit(model, text[:8], TunedLensConfig(n_steps=2))
    assert capsys.readouterr().err == "lens: step 1 of 2\nlens: step 2 of 2\n"


def test_a_fit_is_the_same_again_and_leaves_the_model_as_it_is(text):
    model = build("llama").train()
    before = [parameter.clone() for parameter in model.parameters()]
    first, again, other = (
        TunedLens.fit(model, text[:8, :12] % 20, TunedLensConfig(n_steps=3), seed=seed)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    assert model.training
    assert all(map(torch.equal, before, model.parameters()))
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not first.weight.requires_grad


def test_the_seed_draws_the_batches(model, text):
    pool, config = StatePool(model, Windows(text), skip_first=1, seed=0), TunedLensConfig(n_steps=2)
    first, again, other = (TunedLens.fit_pool(pool, config, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)


def test_chunks_and_shards_of_any_size_give_the_same_ridge_and_nearly_the_same_loss(
    model, text, held_out
):
    config = TunedLensConfig(n_steps=30)
    pool = StatePool(model, Windows(text), skip_first=1, seed=0, n_kept=2**19)
    assert len(pool._shards) > 1
    whole = TunedLens.fit(model, text, config)
    parts = TunedLens.fit_pool(pool, config)
    torch.testing.assert_close(
        mean_kl(parts, held_out), mean_kl(whole, held_out), atol=0.02, rtol=0.05
    )


def test_padding_does_not_enter_a_fit(model, text):
    config = TunedLensConfig(optimizer=LensOptimizer.none)
    padded = torch.nn.functional.pad(text[:64, :20], (0, 12), value=3)
    is_visible = (torch.arange(32) < 20).expand(64, -1)
    found = TunedLens.fit(model, padded, config, is_visible=is_visible)
    expected = TunedLens.fit(model, text[:64, :20].contiguous(), config)
    torch.testing.assert_close(found.weight, expected.weight, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ridge": 0}, "ridge=0.0; must be above 0"),
        ({"n_steps": 0}, "n_steps=0; must be at least 1"),
        ({"skip_first": -1}, "skip_first=-1; must be 0 or more"),
        ({"optimizer": "lbfgs"}, "optimizer=lbfgs; one of muon, sgd, adam, none"),
        ({"learning_rate": 0}, "learning_rate=0.0; must be above 0"),
        (
            {"optimizer": "none", "weight_by": "entry", "frequent_weight": 0.1},
            "weight_by=entry with optimizer=none",
        ),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TunedLensConfig(**changes)


def test_weights_without_frequent_tokens_and_divergence_are_refused(model, text):
    with pytest.raises(InputError, match="frequent_weight=0.001 weights the updates"):
        TunedLens.fit(model, text, TunedLensConfig(frequent_weight=0.001))
    config = TunedLensConfig(optimizer="sgd", learning_rate=1e30, n_steps=4)
    with pytest.raises(DivergedError, match="learning_rate"):
        TunedLens.fit(model, text, config)
