"""Declarations of parameters against the rules by name and dimension that they replaced."""

import hashlib
import math
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from physlm.errors import InputError
from physlm.models.adapter import adapted
from physlm.models.block import Block
from physlm.models.components import ResidualInit
from physlm.models.decoder import Decoder
from physlm.models.inherited import Lora
from physlm.models.language_model import LanguageModel
from physlm.models.parameters import Declaration, Start, decays, roles
from physlm.models.quantised import require_quantisable
from physlm.rng import stream_key
from physlm.run_id import identity
from physlm.train.batches import Batches
from physlm.train.compiled_step import CompiledStep
from physlm.train.module import TrainingModule
from physlm.train.objective import Objective
from physlm.train.replicas import ReplicatedStep
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig
from tests.conftest import tiny_biod_config
from tests.models.mixers.linear.test_mixers import KINDS
from tests.models.mixers.linear.test_mixers import config as linear_config
from tests.models.test_decoder import STYLES, config
from tests.models.test_encoder import ENCODERS, encoder_config

CONFIGS = {
    **{name: config(name) for name in STYLES},
    **{f"encoder {name}": encoder_config(name) for name in ENCODERS},
    "moe": config("gpt2", n_experts=4, n_active_experts=2),
    "gated moe": config("llama", n_experts=4, mlp_ratio=4.0),
    "untied position only": config("position only", tie_embeddings=False),
    "learned without biases": config("learned", has_bias=False),
}
# Of names and shapes in the order in which weights are drawn, from before there were declarations.
DRAWN = {
    "gpt2": "13ff9496",
    "learned": "f1398eb9",
    "partial rope": "13ff9496",
    "no position": "13ff9496",
    "relative": "cb5df49c",
    "relative mistral": "c9ecce81",
    "position only": "f7e55670",
    "uniform": "f095b7d2",
    "llama": "692a81df",
    "mistral": "1aeffbf9",
    "quarter mlp": "156b0822",
    "no mlp": "c5943d31",
    "encoder bert": "f32ae2c1",
    "encoder deberta": "a4d65584",
    "encoder rope": "c6f44906",
    "encoder no position": "2e1829e1",
    "moe": "55e729f6",
    "gated moe": "0004931e",
    "untied position only": "0e915543",
    "learned without biases": "f1398eb9",
}


def drawn(model):
    """The order in which weights are drawn, in a word."""
    lines = [f"{name} {list(p.shape)}" for name, p in model.named_parameters() if p.dim() >= 2]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


@pytest.mark.parametrize("name", DRAWN)
def test_first_weights_are_those_of_the_rule_by_names(name):
    model = CONFIGS[name].build(20, 12, 3)
    assert drawn(model) == DRAWN[name]
    generator = torch.Generator().manual_seed(stream_key(3, "weights") >> 1)
    for path, parameter in model.named_parameters():
        expected = torch.full_like(parameter, float(path.endswith("weight")))
        if parameter.dim() >= 2:
            is_out = path.endswith(("attention.out.weight", "mlp.down.weight", "mlp.down"))
            std = CONFIGS[name].init_std * (1 / math.sqrt(2 * 2) if is_out else 1)
            expected.normal_(0.0, std, generator=generator)
        assert torch.equal(parameter, expected), path


@pytest.mark.parametrize("name", ["gpt2", "llama", "gla", "gdn"])
def test_plain_initial_values_are_alike_for_all_matrices(name):
    given = linear_config(name) if name in KINDS else config(name)
    plain = replace(given, residual_init="plain", init_std=0.05, n_layers=3)
    models = {init: replace(plain, residual_init=init).build(20, 12, 3) for init in ResidualInit}
    scaled = dict(models[ResidualInit.scaled].named_parameters())
    for path, parameter in models[ResidualInit.plain].named_parameters():
        is_out = path.endswith(("attention.out.weight", "mlp.down.weight"))
        factor = math.sqrt(2 * 3) if is_out else 1.0
        torch.testing.assert_close(parameter, scaled[path] * factor)
        if is_out:
            assert parameter.std().item() == pytest.approx(0.05, rel=0.15)
    assert "residual_init" not in identity(replace(plain, residual_init="scaled"))
    assert identity(plain)["residual_init"] == "plain"


@pytest.mark.parametrize("is_adapted", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_matrices_decay_and_vectors_do_not_in_all_models_of_today(name, is_adapted):
    model = CONFIGS[name].build(20, 12, 3)
    if is_adapted:
        has_queries = not CONFIGS[name].position.is_content_free
        model = adapted(model, Lora(rank=2 * has_queries, embedding_rank=2, alpha=4), 0)
    assert decays(model) == {path: p.dim() >= 2 for path, p in model.named_parameters()}
    total = sum(p.numel() for p in model.parameters())
    assert sum(model.n_parameters().values()) == total


class Canon(nn.Module):
    """A short depthwise filter beside a block's attention, whose kernel has three dimensions."""

    declares: ClassVar = {
        "kernel": Declaration(role="canon", decays=False, start=Start.as_made),
        "out": Declaration(role="canon", is_residual=True),
    }

    def __init__(self, width):
        super().__init__()
        self.kernel = nn.Parameter(torch.full((width, 1, 4), 0.25))
        self.out = nn.Linear(width, width)

    def forward(self, x):
        padded = nn.functional.pad(x.mT, (3, 0))
        return self.out(nn.functional.conv1d(padded, self.kernel, groups=x.shape[-1]).mT)


class CanonBlock(Block):
    def forward(self, x, context):
        return super().forward(x + self.canon(x), context)


class CanonDecoder(Decoder):
    """A decoder by a researcher, who adds a part to every block."""

    def __init__(self, part=Canon):
        super().__init__(config("gpt2"), 20, 12, 3)
        for block in self.blocks:
            block.__class__ = CanonBlock
            block.canon = part(32)
        self.initialise(3)


def objective_of(model):
    return Objective(model, eos=0, is_visible_across_documents=True)


def training(model):
    optim = OptimConfig(learning_rate=1e-2, weight_decay=0.5)
    batches = Batches(tiny_biod_config().build(0), 12, 2)
    return TrainingModule(objective_of(model), batches, optim=optim, trainer=TrainerConfig())


def test_a_kernel_of_three_dimensions_is_what_its_module_says():
    model = CanonDecoder()
    assert model.n_parameters() == config("gpt2").build(20, 12, 0).n_parameters() | {
        "canon": 2 * (4 * 32 + 32 * 32 + 32)
    }
    first, out = model.blocks[0].canon.kernel, model.blocks[0].canon.out
    assert torch.equal(first, torch.full((32, 1, 4), 0.25))
    assert out.weight.std().item() == pytest.approx(0.3 / math.sqrt(2 * 2), rel=0.1)
    assert not out.bias.any()
    with pytest.raises(InputError, match="blocks.0.canon.kernel does not belong to a linear layer"):
        require_quantisable(model, 32)


def decayed(step, model):
    """The parameters that weight decay alone moves: their gradients are zero."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    step()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def plain_steps(model):
    optimizer = training(model).configure_optimizers()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return optimizer.step


def whole_steps(model):
    module = training(model)
    optimizer = module.configure_optimizers()
    step = CompiledStep(
        module.objective, optimizer, gradient_accumulation_steps=1, gradient_clip=None
    )
    nothing = torch.full((2, 13), -1)
    return lambda: step(nothing, torch.tensor(1.0), torch.tensor(1e-2))


def replicated_steps(model):
    module, nothing = training(model), torch.full((1, 2, 13), -1)
    step = ReplicatedStep(module.objective, [model], optim=module.optim, trainer=TrainerConfig())

    def take():
        step(nothing, torch.ones(1), torch.full((1,), 1e-2), torch.tensor(1.0))
        step.write_back([model])

    return take


@pytest.mark.parametrize("steps", [plain_steps, whole_steps, replicated_steps])
def test_every_way_of_training_decays_what_is_declared(steps, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    model = CanonDecoder()
    expected = {
        name for name, p in model.named_parameters() if p.dim() >= 2 and not name.endswith("kernel")
    }
    assert decayed(steps(model), model) == expected


class Wrapped(nn.Module):
    """What sharding puts around a module."""

    def __init__(self, module):
        super().__init__()
        self._fsdp_wrapped_module = module


def test_sharding_changes_names_but_not_what_decays():
    module = training(CanonDecoder())
    expected = [len(group["params"]) for group in module.configure_optimizers().param_groups]
    model = module.objective.model
    model.blocks = nn.ModuleList(Wrapped(block) for block in model.blocks)
    module.objective.model = Wrapped(model)
    found = [len(group["params"]) for group in module.configure_optimizers().param_groups]
    assert found == expected


class Undeclared(Canon):
    declares: ClassVar = {}


class Convolution(nn.Conv1d):
    def __init__(self, width):
        super().__init__(width, width, 4, groups=width)


def test_a_parameter_that_nobody_declared_is_named_and_not_guessed():
    with pytest.raises(
        InputError,
        match=r"parameter blocks.0.canon.kernel: nothing declares its "
        "initialisation; give Undeclared declares",
    ):
        CanonDecoder(Undeclared)
    with pytest.raises(
        InputError, match=r"blocks.0.canon.weight: nothing declares its initialisation"
    ):
        CanonDecoder(Convolution)
    Undeclared.declares = {"kernel": Declaration(start=Start.zero)}
    model = CanonDecoder(Undeclared)
    with pytest.raises(InputError, match=r"canon.kernel: nothing declares its role"):
        model.n_parameters()
    with pytest.raises(InputError, match=r"canon.kernel: nothing declares whether it decays"):
        training(model)


def test_a_declaration_of_nothing_is_refused():
    class Misspelt(Canon):
        declares: ClassVar = Canon.declares | {"kernal": Declaration(decays=True)}

    with pytest.raises(InputError, match="Misspelt declares kernal, which it does not have"):
        decays(CanonDecoder(Misspelt))


class Own(LanguageModel):
    """A model from outside, of torch's modules alone."""

    vocabulary_size = 20

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.norm = nn.LayerNorm(8)
        self.scores = nn.Linear(8, 20)

    def forward(self, tokens, segments=None):
        return self.scores(self.norm(self.table(tokens)))


def test_torchs_own_modules_need_no_declaration_but_may_have_one():
    expected = {
        "table.weight": True,
        "norm.weight": False,
        "norm.bias": False,
        "scores.weight": True,
        "scores.bias": False,
    }
    assert decays(Own()) == expected
    model = Own()
    model.declares = {"scores": Declaration(decays=False, role="head")}
    assert decays(model) == expected | {"scores.weight": False}


def test_the_innermost_declaration_counts():
    model = nn.Sequential(Canon(4))
    model.declares = {"0": Declaration(role="outer", decays=True)}
    assert roles(model) == dict.fromkeys(("0.kernel", "0.out.weight", "0.out.bias"), "canon")
    assert decays(model) == {"0.kernel": False, "0.out.weight": True, "0.out.bias": True}
