import math

import pytest
import torch

from physlm.models.architecture import EncoderConfig
from physlm.models.canon_config import CanonConfig
from physlm.models.components import MlpKind, PositionEncoding
from physlm.models.mlm_masking import masked
from physlm.train.objective import Objective
from tests.models.test_decoder import tokens
from tests.models.test_transformers_format import scramble

ENCODERS = {
    "bert": {},
    "deberta": {"position": PositionEncoding.relative},
    "rope": {"position": PositionEncoding.rope, "mlp": MlpKind.gated_silu, "tie_embeddings": False},
    "no position": {"position": PositionEncoding.none},
}
FRACTION = 0.15


def encoder_config(name="bert", **changes):
    return EncoderConfig(
        **({"n_layers": 2, "n_heads": 4, "d_model": 32, "init_std": 0.3} | ENCODERS[name] | changes)
    )


def build(name="bert", *, seq_len=12, **changes):
    return encoder_config(name, **changes).build(20, seq_len, 0)


@torch.no_grad()
@pytest.mark.parametrize("name", ENCODERS)
def test_every_token_sees_both_sides(name):
    model = build(name)
    before = tokens()
    after = before.clone()
    after[:, 7] = (after[:, 7] + 1) % 20
    assert ((model(before) - model(after)).abs().amax(dim=(0, 2)) > 1e-6).all()


@torch.no_grad()
@pytest.mark.parametrize("name", [name for name in ENCODERS if name != "bert"])
def test_masked_documents_score_as_if_alone(name):
    model, together = build(name), tokens(1)
    logits = model(together, torch.tensor([[0] * 5 + [1] * 7]))
    for part in (slice(0, 5), slice(5, 12)):
        alone = model(together[:, part])
        torch.testing.assert_close(logits[:, part], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_left_and_right_are_told_apart_by_positions_alone():
    for name in ENCODERS:
        model, forwards = build(name), tokens(1)
        mirrored = model(forwards.flip(1)).flip(1)
        is_blind = torch.allclose(model(forwards), mirrored, atol=1e-4)
        assert is_blind == (name == "no position")


@torch.no_grad()
def test_the_mask_is_read_but_never_scored():
    model = build()
    hidden = tokens(1)
    hidden[0, 4] = 20
    assert model(hidden).shape == (1, 12, 20)
    model.embedding.weight[20] += 1
    assert not torch.allclose(model(hidden)[0, 4], model(tokens(1))[0, 4])


@torch.no_grad()
@pytest.mark.parametrize("name", ENCODERS)
def test_the_loss_is_that_of_the_chosen_tokens_over_their_fraction(name):
    model, windows = scramble(build(name, seq_len=100)), tokens(8, 101)
    windows[-1, 60:] = -1
    inputs, targets = windows[:, :-1].clamp(min=0), windows[:, 1:]
    given, is_chosen = masked(inputs, targets >= 0, vocabulary_size=20, fraction=FRACTION)
    n_tokens = 59  # of the last window; the one after them is a target only
    scores = model(given[:7]), model(given[7:, :n_tokens])
    log_p = torch.cat([s.log_softmax(-1).flatten(0, 1) for s in scores])
    answers = torch.cat([inputs[:7].flatten(), inputs[7, :n_tokens]])
    chosen = torch.cat([is_chosen[:7].flatten(), is_chosen[7, :n_tokens]])
    expected = -log_p[chosen].gather(1, answers[chosen][:, None]).sum() / FRACTION
    torch.testing.assert_close(model.loss(inputs, targets), expected)


@torch.no_grad()
def test_the_mean_loss_of_a_model_that_knows_nothing_is_log_vocabulary():
    model, windows = build(seq_len=100), tokens(500, 101)
    model.embedding.weight.zero_()
    n_targets = windows[:, 1:].numel()
    mean = Objective(model, eos=19, is_visible_across_documents=True)(windows) / n_targets
    # As many tokens are chosen as chance has it.
    error = math.sqrt((1 - FRACTION) / (FRACTION * n_targets))
    assert mean.item() == pytest.approx(math.log(20), rel=4 * error)


@pytest.mark.parametrize("is_visible_across_documents", [True, False])
def test_what_lies_behind_the_end_is_neither_masked_nor_seen(is_visible_across_documents):
    model, windows = scramble(build(seq_len=100)), tokens(8, 101)
    windows[:, 60:] = -1
    windows[4, 59] = 19  # the end of the text
    windows[5:] = -1
    objective = Objective(model, eos=19, is_visible_across_documents=is_visible_across_documents)
    objective(windows).backward()
    gradients = model.positions.weight.grad
    assert gradients[:59].any(dim=1).all()
    assert not gradients[59:].any()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert objective(windows[5:]).item() == 0


def test_an_encoder_learns_what_both_sides_tell():
    model = build(init_std=0.02)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(0)
    objective = Objective(model, eos=19, is_visible_across_documents=True)
    means = []
    for _ in range(120):
        # Each text counts up from anywhere, so that any neighbour tells a token.
        windows = (torch.randint(20, (32, 1), generator=generator) + torch.arange(13)) % 20
        loss = objective(windows) / windows[:, 1:].numel()
        means.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert means[0] > 2.5
    assert sum(means[-10:]) / 10 < 0.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": PositionEncoding.uniform}, "position=uniform looks back only"),
        ({"position": PositionEncoding.position_only}, "position=position_only looks back only"),
        ({"position": PositionEncoding.alibi}, "position=alibi looks back only"),
        ({"canon": CanonConfig(positions="A")}, "canon.positions=A, but Canon looks back only"),
        ({"masked_fraction": 0.0}, "masked_fraction=0.0"),
        ({"masked_fraction": 1.5}, "masked_fraction=1.5"),
        ({"n_heads": 3}, "d_model=32 is not divisible"),
    ],
)
def test_impossible_encoders_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        encoder_config(**changes)
