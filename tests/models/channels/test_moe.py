"""Mixtures of experts against a loop over tokens, Mixtral's own code, and what routing must do."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import gelu, silu

from physlm.models.architecture import DecoderConfig
from physlm.models.attention_mask import AttentionMask
from physlm.models.channels.moe import Experts
from physlm.models.components import ExpertsShape, MlpKind
from physlm.models.context import Context
from physlm.models.size import n_parameters
from tests.conftest import printed


def experts(n_experts=4, n_active=1, capacity_factor=2.0, kind=MlpKind.gelu, d=6, hidden=24):
    torch.manual_seed(0)
    made = Experts(d, hidden, kind, ExpertsShape(n_experts, n_active, capacity_factor))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return made


def balanced(mixture, x):
    """Each token by its experts, and the load-balancing loss."""
    losses = []
    mask = AttentionMask(is_causal=True)
    out = mixture(x, Context(mask=mask, n_positions=x.shape[1], load_balancing=losses))
    return out, losses[0]


def token_by_token(mixture, x):
    """Every token by itself: the definition, without queues."""
    out = torch.zeros_like(x)
    for b, t in torch.cartesian_prod(torch.arange(x.shape[0]), torch.arange(x.shape[1])):
        token = x[b, t]
        probabilities = (mixture.router.weight @ token).softmax(dim=0)
        order = probabilities.argsort(descending=True)[: mixture.shape.n_active]
        weights = probabilities[order]
        if len(order) > 1:
            weights = weights / weights.sum()
        for weight, e in zip(weights, order, strict=True):
            hidden = token @ mixture.up[e]
            if mixture.gate is None:
                hidden = gelu(hidden, approximate="tanh")
            else:
                hidden = silu(token @ mixture.gate[e]) * hidden
            out[b, t] += weight * (hidden @ mixture.down[e])
    return out


@pytest.mark.parametrize("kind", [MlpKind.gelu, MlpKind.gated_silu])
@pytest.mark.parametrize("n_active", [1, 2, 4])
@pytest.mark.parametrize("is_training", [False, True])
def test_with_room_for_all_each_token_is_what_its_experts_make_of_it(kind, n_active, is_training):
    mixture = experts(n_active=n_active, kind=kind, capacity_factor=4.0).train(is_training)
    x = torch.randn(3, 7, 6)
    torch.testing.assert_close(balanced(mixture, x)[0], token_by_token(mixture, x))


def test_mixtrals_block_is_ours_with_two_of_eight_gated_experts():
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    sizes = {"hidden_size": 6, "intermediate_size": 5, "num_local_experts": 8}
    theirs = MixtralSparseMoeBlock(MixtralConfig(**sizes, num_experts_per_tok=2))
    ours = experts(n_experts=8, n_active=2, kind=MlpKind.gated_silu, hidden=40).eval()
    with torch.no_grad():
        weights = dict(theirs.named_parameters())
        weights["gate.weight"].copy_(ours.router.weight)
        weights["experts.gate_up_proj"].copy_(torch.cat([ours.gate, ours.up], dim=2).mT)
        weights["experts.down_proj"].copy_(ours.down.mT)
        x = torch.randn(2, 9, 6)
        found = theirs.eval()(x)
        found = found[0] if isinstance(found, tuple) else found
    torch.testing.assert_close(balanced(ours, x)[0], found)


def test_a_full_expert_leaves_out_the_tokens_that_come_last():
    mixture = experts(n_experts=4, capacity_factor=1.0).train()
    with torch.no_grad():
        mixture.router.weight.zero_()
        mixture.router.weight[2] = 1.0
    x = torch.rand(1, 8, 6) + 0.1  # all of them to expert 2, which has room for two
    out, load_balancing_loss = balanced(mixture, x)
    assert (out[0, :2].abs().sum(dim=1) > 0).all()
    assert (out[0, 2:] == 0).all()
    assert load_balancing_loss > 2
    mixture.eval()
    assert (balanced(mixture, x)[0].abs().sum(dim=-1) > 0).all()


def test_first_choices_come_before_second_ones():
    mixture = experts(n_experts=2, n_active=2, capacity_factor=0.5, hidden=8).train()
    with torch.no_grad():
        mixture.router.weight.zero_()
        mixture.router.weight[0, 0] = 5.0
    x = torch.ones(1, 4, 6)
    x[0, 2:, 0] = -1.0  # two tokens prefer expert 0, two expert 1; each has room for two
    slots, capacity = mixture._slots(torch.tensor([[0, 1], [0, 1], [1, 0], [1, 0]]))
    assert capacity == 2
    assert slots.tolist() == [[0, 4], [1, 4], [2, 4], [3, 4]]


def test_unevenness_is_one_for_even_choices_and_the_number_of_experts_for_one_expert():
    mixture = experts(n_experts=4)
    with torch.no_grad():
        mixture.router.weight.zero_()
        mixture.router.weight[:4, :4] = 100 * torch.eye(4)
    even = torch.eye(6)[:4][None]
    assert balanced(mixture, even)[1].item() == pytest.approx(1.0)
    assert balanced(mixture, even[:, :1].expand(1, 5, 6))[1].item() == pytest.approx(4.0)


def config(**changes):
    values = {"n_layers": 2, "n_heads": 2, "d_model": 16, "mlp_ratio": 4.0, "n_experts": 8}
    return DecoderConfig(**(values | changes))


@pytest.mark.parametrize(
    "changes",
    [{}, {"mlp": MlpKind.gated_silu, "n_active_experts": 2}, {"has_bias": False, "n_experts": 32}],
)
def test_parameters_total_and_active_are_the_closed_form(changes):
    chosen = config(**changes)
    model = chosen.build(20, 12, 0)
    assert model.n_parameters() == n_parameters(chosen, 20, 12)
    of_experts = 2 * (3 if chosen.mlp is MlpKind.gated_silu else 2) * 16 * 64
    idle = of_experts * (1 - chosen.n_active_experts / chosen.n_experts)
    assert model.n_active_parameters() == sum(model.n_parameters().values()) - idle


def test_experts_start_as_wide_as_an_mlp_and_no_two_alike():
    up, down = (
        dict(config(d_model=64).build(20, 12, 0).named_parameters())[f"blocks.0.mlp.{name}"]
        for name in ("up", "down")
    )
    assert up.std().item() == pytest.approx(0.02, rel=0.05)
    assert down.std().item() == pytest.approx(0.02 / math.sqrt(4), rel=0.05)
    assert not torch.equal(up[0], up[1])


def test_a_token_sees_none_after_it_once_training_is_over():
    model = config().build(20, 12, 0).eval()
    tokens = torch.randint(20, (2, 12))
    other = tokens.clone()
    other[:, 7:] = (other[:, 7:] + 3) % 20
    torch.testing.assert_close(model(tokens)[:, :7], model(other)[:, :7])


def test_what_a_row_scores_does_not_depend_on_the_rows_beside_it():
    model = config().build(20, 12, 0).eval()
    tokens = torch.randint(20, (30, 12))
    torch.testing.assert_close(model(tokens)[4:5], model(tokens[4:5]))


def test_generation_with_a_cache_is_reading_again():
    model = config().build(20, 12, 0).eval()
    tokens = torch.randint(20, (3, 9))
    scores, cache = model.prefill(tokens[:, :6], torch.full((3,), 6), 12)
    torch.testing.assert_close(scores, model(tokens)[:, 5])
    for t in range(6, 9):
        torch.testing.assert_close(model.decode(tokens[:, t], cache), model(tokens)[:, t])


def test_training_adds_the_weighted_unevenness_for_each_target():
    model = config(load_balance=0.5, expert_capacity=8.0).build(20, 12, 0)
    tokens, targets = torch.randint(20, (2, 3, 12))
    targets[:, 9:] = -1
    plain = model.eval().loss(tokens, targets)
    x = model.embed(tokens)
    load_balancing_loss = []
    for block in model.blocks:
        normed = block.mlp_norm(x + block.attention(block.attention_norm(x), model.context(12)))
        load_balancing_loss.append(balanced(block.mlp, normed)[1].item())
        x = block(x, model.context(12))
    added = model.train().loss(tokens, targets) - plain
    assert added.item() == pytest.approx(0.5 * 27 * (np.mean(load_balancing_loss) - 1), rel=1e-4)


LOSSES = """
import torch
from physlm.models.architecture import DecoderConfig
from physlm.train.module import TrainingModule
from physlm.train.trainer import TrainerConfig
from physlm.train.objective import Objective
from physlm.train.schedule import OptimConfig
from physlm.train.compiled_step import CompiledStep

for is_compiled in (False, True):
    config = DecoderConfig(d_model=16, n_experts=8, n_active_experts=2)
    model = config.build(20, 12, 0)
    objective = Objective(model, eos=19, is_visible_across_documents=True)
    module = TrainingModule(objective, None, optim=OptimConfig(), trainer=TrainerConfig())
    optimizer = module.configure_optimizers()
    step = CompiledStep(objective, optimizer, gradient_accumulation_steps=1, gradient_clip=1.0)
    if not is_compiled:
        step.gradients = step._gradients
    windows = torch.randint(20, (4, 13), generator=torch.Generator().manual_seed(0))
    print(*(step(windows, torch.tensor(48.0), torch.tensor(1e-2)).item() for _ in range(4)))
"""


@pytest.mark.slow
def test_compiled_training_has_the_losses_of_eager_training():
    rows = printed(LOSSES).splitlines()
    eager, fused = ([float(loss) for loss in row.split()] for row in rows)
    assert fused == pytest.approx(eager, rel=1e-4)
    assert eager[3] < eager[0] - 0.2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_experts": 7}, "n_experts=7 does not divide the 64 hidden units"),
        ({"n_experts": 0}, "n_active_experts=1; must be from 1 to n_experts=0"),
        ({"n_active_experts": 9}, "n_active_experts=9; must be from 1 to n_experts=8"),
        ({"mlp": MlpKind.none}, "n_experts=8 with mlp=none"),
        ({"expert_capacity": 0.5}, "expert_capacity=0.5; must be at least 1"),
        ({"load_balance": -1.0}, "load_balance=-1.0; must be at least 0"),
    ],
)
def test_experts_that_cannot_be_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)
