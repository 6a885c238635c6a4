"""Canon layers against loops, torch's convolution and the models without them."""

import dataclasses
from itertools import product

import pytest
import torch
from safetensors.torch import load_model, save_model

from physlm.analysis.depth.early_exit_decoder import EarlyExitDecoder
from physlm.analysis.depth.exit_rule import ExitRule
from physlm.analysis.lenses.logit_lens import LogitLens
from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.canon import Canon
from physlm.models.canon_config import Activation, CanonConfig
from physlm.models.components import MlpKind, PositionEncoding
from physlm.train.objective import Objective
from tests.models.test_decoder import STYLES, config, tokens
from tests.models.test_transformer import build
from tests.plugin.running_mean import RunningMeanConfig

WITH_CANON = [style for style, changes in STYLES.items() if "canon" in changes]


def filled(canon):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in canon.parameters():
            parameter.normal_(generator=generator)
    return canon


def inputs(n_batch=2, seq_len=7, width=3):
    return torch.randn(n_batch, seq_len, width, generator=torch.Generator().manual_seed(2))


def silu(x):
    return x / (1 + (-x).exp())


def by_loops(canon, x):
    """The formula of the layer, number by number."""
    out = torch.empty_like(x, dtype=torch.float64)
    for b, t, c in product(*map(range, x.shape)):
        total = 0.0 if canon.bias is None else canon.bias[c].double()
        for back in range(min(canon.kernel, t + 1)):
            tap = canon.weight[c, canon.kernel - 1 - back].double()
            total = total + tap * x[b, t - back, c].double()
        total = silu(total) if canon.activation is not None else total
        out[b, t, c] = total + (x[b, t, c] if canon.residual else 0.0)
    return out.float()


@torch.no_grad()
@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("activation", [None, "silu"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_is_its_formula(kernel, residual, activation, bias):
    canon = filled(Canon(3, kernel, residual, activation, bias))
    for seq_len in (1, 2, 7):
        x = inputs(seq_len=seq_len)
        torch.testing.assert_close(canon(x), by_loops(canon, x), atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_without_a_residual_it_is_torchs_causal_depthwise_convolution():
    canon, x = filled(Canon(3, 4, residual=False)), inputs()
    theirs = torch.nn.functional.conv1d(x.mT, canon.weight[:, None], padding=3, groups=3)
    torch.testing.assert_close(canon(x), theirs[..., :7].mT)


def test_gradients_reach_back_as_far_as_the_kernel():
    canon, x = filled(Canon(3, 3)), inputs(1).requires_grad_()
    for t in range(7):
        (gradient,) = torch.autograd.grad(canon(x)[0, t].sum(), x)
        reached = gradient[0].abs().sum(dim=1).nonzero()[:, 0].tolist()
        assert reached == list(range(max(0, t - 2), t + 1))


@torch.no_grad()
@pytest.mark.parametrize("kernel", [2, 4])
def test_texts_read_in_parts_of_any_length_are_read_as_a_whole(kernel):
    canon, x = filled(Canon(3, kernel, bias=True)), inputs()
    whole = canon(x)
    for parts in ([1] * 7, [3, 4], [2, 1, 4], [7]):
        state = canon.new_state()
        found = [canon(part, state=state) for part in x.split(parts, dim=1)]
        torch.testing.assert_close(torch.cat(found, dim=1), whole)


@pytest.mark.parametrize("style", WITH_CANON)
def test_no_gradient_comes_from_a_later_token(style):
    model = build(style)
    x = model.embed(tokens(1)).detach().requires_grad_()
    for t in (0, 6, 11):
        (gradient,) = torch.autograd.grad(model.forward_from(x, 0)[0, t].square().sum(), x)
        sizes = gradient[0].abs().sum(dim=1)
        assert not sizes[t + 1 :].any()
        assert sizes[max(0, t - 1) : t + 1].all()


@torch.no_grad()
@pytest.mark.parametrize("style", ["gpt2", "llama", "relative mistral", "uniform", "no mlp"])
def test_zero_weights_change_nothing_and_other_weights_are_those_without_canon(style):
    positions = "AB" if style == "no mlp" else "ABCD"
    plain = config(style).build(20, 12, 3).eval()
    canon = config(style, canon=CanonConfig(positions=positions)).build(20, 12, 3).eval()
    assert not torch.equal(canon(tokens()), plain(tokens()))
    for name, parameter in canon.named_parameters():
        if "canon" in name:
            parameter.zero_()
    assert torch.equal(canon(tokens()), plain(tokens()))


@torch.no_grad()
def test_documents_do_not_leak_where_attention_does_not_cross_them():
    texts = tokens(1, 13)
    texts[0, [0, 5]] = 19
    for sees_all in (True, False):
        model = build("canon", mlp=MlpKind.gelu)
        objective = Objective(model, eos=19, is_visible_across_documents=sees_all)
        alone = objective(texts[:, :6]) + objective(texts[:, 5:])
        assert torch.isclose(objective(texts), alone) != sees_all


def test_initial_weights_are_those_of_conv1d_from_the_seed_alone():
    chosen = config("canon", d_model=256, canon=CanonConfig(bias=True))
    torch.manual_seed(1)
    first = dict(chosen.build(20, 12, 5).named_parameters())
    torch.manual_seed(2)
    again, other = (dict(chosen.build(20, 12, seed).named_parameters()) for seed in (5, 6))
    filters = [name for name in first if "canon" in name and "weight" in name]
    assert len(filters) == 2 * 5  # D is one layer for the gate and one for what it gates
    for name in filters:
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
        assert first[name].abs().max() <= 0.5
        assert first[name].std().item() == pytest.approx(0.5 / 3**0.5, rel=0.05)
        assert not first[name.replace("weight", "bias")].any()
    assert len({first[name].flatten()[0].item() for name in filters}) == 2 * 5


def test_frozen_filters_are_read_but_not_trained():
    model = config("canon", canon=CanonConfig(is_frozen=True)).build(20, 12, 0)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {name for name, _ in model.named_parameters() if "canon" in name}
    model.loss(tokens(), tokens()).backward()
    assert all((p.grad is None) == (name in frozen) for name, p in model.named_parameters())
    trained = config("canon").build(20, 12, 0).eval()
    assert torch.equal(model.eval()(tokens()), trained(tokens()))


def test_kept_weights_are_read_back(tmp_path):
    model, other = build("canon"), config("canon").build(20, 12, 1).eval()
    save_model(model, str(tmp_path / "model.safetensors"))
    load_model(other, str(tmp_path / "model.safetensors"))
    assert torch.equal(model(tokens()), other(tokens()))


def test_early_exit_is_refused():
    model = build("canon")
    with pytest.raises(InputError, match="early exit in a model with Canon layers"):
        EarlyExitDecoder(LogitLens(model), ExitRule(states=(1,), threshold=0.5))
    with pytest.raises(InputError, match="early exit in a model with Canon layers"):
        model.blocks[0].remember(torch.zeros(1, 1, 32), model.context(4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": "ABE"}, "canon.positions=ABE; must be letters of ABCD, each once"),
        ({"positions": "AA"}, "canon.positions=AA"),
        ({"positions": ""}, "canon.positions=;"),
        ({"kernel": 5}, "canon.kernel=5; must be from 2 to 4"),
        ({"activation": "relu"}, "activation=relu; one of none, silu"),
    ],
)
def test_layers_that_there_are_not_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        CanonConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mlp": MlpKind.none}, "canon.positions=ABCD with mlp=none"),
        ({"n_experts": 4}, "canon.positions=ABCD with n_experts=4, .* leave D out"),
        (
            {"position": PositionEncoding.none, "mixer": RunningMeanConfig()},
            "canon.positions=ABCD, but mixer=running_mean has no B",
        ),
    ],
)
def test_positions_that_a_block_does_not_have_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DecoderConfig(canon=CanonConfig(), **changes)


def test_every_spelling_of_a_set_of_positions_is_the_same_configuration():
    assert CanonConfig(positions="DBA") == CanonConfig(positions="ABD")


def non_embedding(model):
    counts = model.n_parameters()
    distances = 0 if model.distances is None else model.distances.embedding.weight.numel()
    return sum(counts.values()) - counts["embedding"] - distances


@pytest.mark.parametrize(
    "changes",
    [
        {"canon": CanonConfig()},
        {"canon": CanonConfig(bias=True), "mlp": MlpKind.gated_silu, "mlp_ratio": 8 / 3},
        {"canon": CanonConfig(positions="ABC"), "n_experts": 4},
        {"position": PositionEncoding.none, "n_kv_heads": 2, "has_qk_norm": True},
        {"position": PositionEncoding.relative},
        {"position": PositionEncoding.uniform, "has_bias": False, "canon": CanonConfig()},
        {"position": PositionEncoding.none, "mixer": RunningMeanConfig()},
    ],
)
def test_models_of_matched_size_are_as_large_as_plain_ones(changes):
    chosen = DecoderConfig(n_heads=4, d_model=64, is_size_matched=True, **changes)
    plain = dataclasses.replace(
        chosen, position=PositionEncoding.rope, canon=None, mixer=None, is_size_matched=False
    )
    found, wanted = (non_embedding(c.build(20, 12, 0)) for c in (chosen, plain))
    assert abs(found - wanted) <= 0.01 * wanted
    assert chosen.d_hidden != plain.d_hidden or "has_qk_norm" in changes


def test_sizes_that_no_mlp_matches_are_refused():
    with pytest.raises(ValueError, match="is_size_matched=true with mlp=none"):
        DecoderConfig(mlp=MlpKind.none, is_size_matched=True)
    with pytest.raises(ValueError, match="is_size_matched=true, but blocks closest to the"):
        DecoderConfig(
            d_model=4, n_heads=1, mlp_ratio=0.25, is_size_matched=True, canon=CanonConfig()
        )


def test_an_activation_that_is_not_known_is_refused():
    with pytest.raises(InputError, match="activation=relu; must be silu"):
        Canon(4, activation="relu")
    assert Canon(4, activation=Activation.silu.value).activation is not None
