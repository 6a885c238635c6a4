"""Whole steps as compiled programs against plain steps.

In a process of its own: the compiler does not see through the shape checks of the other tests.
"""

import json
from functools import partial

import pytest
import torch

from physlm.errors import InterruptedRunError
from physlm.models.architecture import DecoderConfig
from physlm.models.components import MlpKind
from physlm.train.batches import Batches
from physlm.train.compiled_step import CompiledStep
from physlm.train.objective import Objective
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import Precision
from tests.conftest import printed, tiny_biod_config
from tests.train.training import Marked, losses, stop_after, train, train_whole, weights

SCRIPT = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from physlm.models import decoder  # before shapes are checked, which cannot be traced
from physlm.models.mixers import attention_kernels
from tests.train import test_compiled_step
attention_kernels._LEAST_ROWS = 8  # two blocks in few tokens
print(json.dumps(getattr(test_compiled_step, sys.argv[1])(Path(sys.argv[2]))))
"""

CORPUS = Marked(tiny_biod_config().build(0))

HARD = {
    "gradient_accumulation_steps": 2,
    "masked": True,
    "model": {"mlp": MlpKind.gated_silu, "n_heads": 2, "n_kv_heads": 1, "sliding_window": 5},
}
UNCLIPPED_BF16 = {"gradient_clip": None, "precision": Precision.bf16, "model": {}}


def small(**changes):
    """A model that compiles quickly."""
    config = DecoderConfig(n_layers=1, d_model=16, init_std=0.2, **changes)
    return config.build(CORPUS.vocabulary.size, 12, 0)


def found_elsewhere(name, folder):
    """What a function of this file returns where compiling is possible."""
    return json.loads(printed(SCRIPT, name, folder).splitlines()[-1])


def trained(folder, given, **changes):
    """A trained model and its losses."""
    settings = {"precision": Precision.fp32} | given | changes
    model, _, curves = train(CORPUS, folder, **settings | {"model": small(**settings["model"])})
    return model, losses(curves)


def compared(folder, given):
    """The losses of plain and of compiled steps, how far the weights part; the compiled model."""
    plain, right = trained(folder / "plain", given)
    whole, found = trained(folder / "whole", given, is_compiled=True)
    apart = (weights(plain) - weights(whole)).norm() / weights(plain).norm()
    return {"plain": right, "whole": found, "apart": apart.item()}, whole


def compared_without_kernels(folder):
    """As one graph with its derivatives, but without the minutes that kernels take to compile."""
    traced = partial(torch.compile, dynamic=False, fullgraph=True, backend="aot_eager")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch, "compile", lambda function, **_: traced(function))
        return compared(folder, HARD)[0]


@pytest.mark.slow
def test_traced_steps_are_the_plain_ones(tmp_path):
    found = found_elsewhere("compared_without_kernels", tmp_path)
    assert found["whole"] == pytest.approx(found["plain"], rel=1e-4)
    assert found["apart"] < 1e-3


def compared_in_bf16(folder):
    return compared(folder, UNCLIPPED_BF16)[0]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compiled_steps_in_bf16_are_the_plain_ones(tmp_path):
    found = found_elsewhere("compared_in_bf16", tmp_path)
    assert found["whole"] == pytest.approx(found["plain"], rel=0.01)
    assert found["apart"] < 0.05


def compared_and_resumed(folder):
    """Also of a run that is stopped and resumed, and of one that diverges."""
    found, whole = compared(folder, HARD)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Batches, "__iter__", stop_after(2))
        with pytest.raises(InterruptedRunError):
            trained(folder / "parts", HARD, is_compiled=True)
    parts = trained(folder / "parts", HARD, is_compiled=True)[0]
    diverged = train_whole(
        CORPUS,
        folder / "diverged",
        is_compiled=True,
        optim=OptimConfig(learning_rate=1e30, warmup_steps=1),
        **HARD | {"model": small(**HARD["model"])},
    )
    return found | {
        "is_equal": torch.equal(weights(parts), weights(whole)),
        "diverged_at": diverged.diverged_at,
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compiled_steps_are_the_plain_ones_resume_bit_for_bit_and_notice_divergence(tmp_path):
    found = found_elsewhere("compared_and_resumed", tmp_path)
    assert found["whole"] == pytest.approx(found["plain"], rel=1e-4)
    assert found["apart"] < 1e-3
    assert found["is_equal"]
    assert found["diverged_at"] > 0


def test_frozen_parameters_stay(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    model = DecoderConfig(d_model=16, init_std=0.2).build(20, 12, 0)
    frozen = next(model.parameters()).requires_grad_(requires_grad=False)
    before = [p.detach().clone() for p in model.parameters()]
    objective = Objective(model, eos=0, is_visible_across_documents=True)
    optimizer = OptimConfig().build(list(objective.parameters()), [], is_fused=True)
    step = CompiledStep(objective, optimizer, gradient_accumulation_steps=1, gradient_clip=1.0)
    step(torch.randint(20, (3, 13)), torch.tensor(36.0), torch.tensor(0.01))
    assert torch.equal(frozen, before[0])
    assert not any(map(torch.equal, list(model.parameters())[1:], before[1:]))
