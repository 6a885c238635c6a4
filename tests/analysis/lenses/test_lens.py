"""Lenses against the model itself, and what they refuse."""

import pytest
import torch

from physlm.analysis.lenses import LogitLens, TunedLens
from physlm.analysis.lenses.controls import ShiftedLens
from physlm.analysis.lenses.divergence import kl_to_final
from physlm.errors import InputError
from tests.analysis.lenses.affine_stream import AffineStream
from tests.analysis.lenses.conftest import N_LAYERS
from tests.conftest import printed
from tests.models.test_transformer import build


def zeros(model, n=N_LAYERS, width=32):
    return TunedLens(model, torch.zeros(n, width, width), torch.zeros(n, width))


@torch.no_grad()
def test_zero_translators_are_the_logit_lens(model, held_out):
    for k, residual in enumerate(held_out):
        expected = model.unembed(residual)
        assert torch.equal(LogitLens(model).logits(residual, k), expected)
        assert torch.equal(zeros(model).logits(residual, k), expected)


@torch.no_grad()
def test_state_l_gives_the_models_own_scores(model, tuned, text):
    last = model.residuals(text[:4], [N_LAYERS])[0]
    for lens in (LogitLens(model), tuned, ShiftedLens(tuned, -1)):
        assert torch.equal(lens.logits(last, N_LAYERS), model(text[:4]))


@torch.no_grad()
def test_scores_of_several_states_are_those_of_each(tuned, held_out):
    states = [N_LAYERS, 2, 0]
    many = tuned.logits_of_states(held_out[states], states)
    for k, found in zip(states, many, strict=True):
        torch.testing.assert_close(found, tuned.logits(held_out[k], k))


@torch.no_grad()
def test_scores_of_bf16_states_are_fp32():
    model = build("llama").bfloat16()
    residual = torch.randn(3, 32, dtype=torch.bfloat16)
    lens = TunedLens(model, torch.zeros(2, 32, 32), torch.zeros(2, 32))
    assert lens.logits(residual, 0).dtype == torch.float32
    assert torch.equal(lens.logits(residual, 0), LogitLens(model).logits(residual, 0))


@torch.no_grad()
def test_divergence_is_that_of_torch(tuned, held_out, monkeypatch):
    monkeypatch.setattr("physlm.analysis.lenses.divergence._SCORES", 3000)
    found = kl_to_final(tuned, held_out)
    final = tuned.model.unembed(held_out[-1]).log_softmax(-1)
    for k, row in enumerate(found):
        log_q = tuned.logits(held_out[k], k).log_softmax(-1)
        kl = torch.nn.functional.kl_div(log_q, final, log_target=True, reduction="none").sum(-1)
        torch.testing.assert_close(row, kl, atol=2e-5, rtol=1e-4)
    assert not found[-1].any()


@torch.no_grad()
@pytest.mark.parametrize("shift", [1, -1])
def test_a_lens_one_state_off_is_worse(tuned, held_out, shift):
    right, off = (
        kl_to_final(lens, held_out).mean(1) for lens in (tuned, ShiftedLens(tuned, shift))
    )
    changed = slice(0, -1) if shift > 0 else slice(1, -1)
    assert (off[changed] > right[changed] + 0.02).all()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: LogitLens(build("encoder bert")), "attends to both sides"),
        (lambda: zeros(build("llama"), 3), "translators of 3 states, and the model has 2 blocks"),
        (lambda: zeros(build("llama"), 2, 16), "width 16, and the model has width 32"),
        (lambda: zeros(build("llama"), 2).logits(torch.zeros(32), 3), "state 3 does not exist"),
        (lambda: zeros(build("llama"), 2).logits(torch.zeros(32), -1), "state -1 does not exist"),
        (lambda: ShiftedLens(LogitLens(build("llama")), 0), "shift=0; a control must shift"),
    ],
)
def test_wrong_models_and_states_are_refused(use, message):
    with pytest.raises(InputError, match=message):
        use()


def test_settings_of_a_lens_load_no_torch():
    code = "import sys, physlm.analysis.lenses.config; print('torch' in sys.modules)"
    assert printed(code) == "False\n"
    with pytest.raises(ImportError, match="NoLens"):
        from physlm.analysis.lenses import NoLens  # noqa: F401


def test_the_affine_stream_is_what_its_blocks_make_of_it():
    model, tokens = AffineStream(), torch.arange(8)[None]
    states = model.residuals(tokens)
    weight, bias = model.translators()
    for k in range(model.n_layers):
        torch.testing.assert_close(states[k] + states[k] @ weight[k] + bias[k], states[-1])
        torch.testing.assert_close(model.forward_from(states[k], k), states[-1])
