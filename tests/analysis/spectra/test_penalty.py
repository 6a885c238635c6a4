"""Penalties made of attention maps: their values, gradients and places in the loss."""

import pytest
import torch

from physlm.analysis.spectra import spectral_metrics
from physlm.analysis.spectra.penalty import AttentionPenaltyConfig, PenaltyKind
from physlm.models.architecture import DecoderConfig
from tests.models.test_decoder import tokens


def maps_and_states(n=2, heads=3, size=7, width=5):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(n, heads, size, size, generator=generator, dtype=torch.double)
    hidden = torch.ones(size, size, dtype=torch.bool).triu(1)
    residual = torch.randn(n, size, width, generator=generator, dtype=torch.double)
    return scores.masked_fill(hidden, -torch.inf).softmax(-1), residual


def penalty(**given):
    return AttentionPenaltyConfig(**given).build(16, 0)


@pytest.mark.parametrize(
    ("kind", "metric", "scale"),
    [("smoothness", "smoothness", 1.0), ("fiedler", "fiedler", 1.0), ("heat_trace", None, 7.0)],
)
def test_penalties_are_the_means_of_the_metrics(kind, metric, scale):
    maps, residual = maps_and_states()
    own = penalty(kind=PenaltyKind(kind))(maps, residual)
    name = metric or "heat_trace/beta_1.0"
    measured = spectral_metrics(maps, residual[:, None], metrics=[metric or kind], betas=(1.0,))
    torch.testing.assert_close(own, next(iter(measured.values())).mean() / scale)
    assert name.split("/")[0] == kind


def test_entropy_is_that_of_the_rows_over_that_of_uniform_rows():
    n = 6
    uniform = torch.ones(n, n).tril() / torch.arange(1, n + 1)[:, None]
    entropy = penalty(kind=PenaltyKind.entropy)
    torch.testing.assert_close(
        entropy(uniform[None, None], torch.zeros(1, n, 2)), torch.tensor(1.0)
    )
    assert entropy(torch.eye(n)[None, None], torch.zeros(1, n, 2)) == 0


def test_permuted_maps_have_the_same_spectrum_and_another_smoothness():
    maps, residual = maps_and_states()
    plain, permuted = penalty(), penalty(permuted=True)
    assert permuted(maps, residual) != pytest.approx(plain(maps, residual).item(), rel=1e-3)
    alike = torch.ones_like(residual) * residual[:, :1]  # every order of equal states is the same
    torch.testing.assert_close(permuted(maps, alike), plain(maps, alike))


@pytest.mark.parametrize("kind", list(PenaltyKind))
def test_gradients_are_differences(kind):
    maps, residual = maps_and_states(1, 2, 4, 3)
    scores = maps.clamp(min=1e-9).log().requires_grad_()
    hidden = torch.ones(4, 4, dtype=torch.bool).triu(1)
    own = penalty(kind=kind)

    def value(scores, residual):
        return own(scores.masked_fill(hidden, -torch.inf).softmax(-1), residual)

    assert torch.autograd.gradcheck(value, (scores, residual.requires_grad_()))


@pytest.mark.parametrize("kind", list(PenaltyKind))
def test_a_penalty_enters_training_with_finite_gradients(kind):
    config = AttentionPenaltyConfig(kind=kind, weight=-0.5)
    model = DecoderConfig(d_model=16, init_std=0.2, penalty=config).build(20, 12, 0)
    plain = DecoderConfig(d_model=16, init_std=0.2).build(20, 12, 0)
    x, targets = tokens(), tokens().roll(-1, 1)
    states = plain.residuals(x)
    terms = [config.build(12, 0)(p, states[i + 1]) for i, p in plain.attention_patterns(x)]
    expected = plain.train().loss(x, targets) - 0.5 * targets.numel() * sum(terms) / 2
    loss = model.train().loss(x, targets)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weight": 0.0}, "weight=0; leave"),
        ({"permuted": True, "kind": PenaltyKind.fiedler}, "permuted=true with kind=fiedler"),
    ],
)
def test_penalties_without_effect_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        AttentionPenaltyConfig(**given)
