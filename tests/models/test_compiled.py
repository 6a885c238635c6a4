"""Every kind of position and the encoders, compiled, against the same models uncompiled.

In a process of its own: the compiler does not see through the shape checks of the other tests.
"""

import json

import pytest
import torch

from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.architecture import DecoderConfig, EncoderConfig
from physlm.models.canon_config import Activation, CanonConfig
from physlm.models.components import MlpKind, PositionEncoding
from physlm.models.mixers.linear_config import GatedDeltaConfig, GlaConfig, Mamba2Config
from physlm.train.compiled_step import CompiledStep
from physlm.train.objective import Objective
from physlm.train.schedule import OptimConfig
from tests.conftest import printed

SCRIPT = """
import json, sys
# Before shapes are checked, which cannot be traced.
from physlm.models import decoder, encoder
from physlm.models.mixers.linear import gated_delta_mixer, gla_mixer, mamba2_mixer
from tests.models import test_compiled
print(json.dumps(getattr(test_compiled, sys.argv[1])(*sys.argv[2:])))
"""

SMALL = {"n_layers": 1, "n_heads": 2, "d_model": 16, "init_std": 0.2}


def linear(mixer, canon=None):
    """A decoder with linear attention."""
    return DecoderConfig(position=PositionEncoding.none, mixer=mixer, canon=canon, **SMALL)


CONFIGS = {
    "relative": DecoderConfig(
        position=PositionEncoding.relative, n_kv_heads=1, sliding_window=7, **SMALL
    ),
    "position_only": DecoderConfig(position=PositionEncoding.position_only, **SMALL),
    "uniform": DecoderConfig(position=PositionEncoding.uniform, **SMALL),
    "canon": DecoderConfig(
        mlp=MlpKind.gated_silu,
        canon=CanonConfig(activation=Activation.silu, bias=True),
        z_loss=0.01,
        **SMALL,
    ),
    "alibi": DecoderConfig(
        position=PositionEncoding.alibi, n_kv_heads=1, has_qk_norm=True, mlp=MlpKind.silu, **SMALL
    ),
    "quarter rope": DecoderConfig(
        rope_fraction=0.5, rope_heads_fraction=0.5, rope_is_interleaved=True, **SMALL
    ),
    "gla": linear(GlaConfig(n_heads=2)),
    "gated_delta": linear(GatedDeltaConfig(n_heads=2), CanonConfig(positions="ACD")),
    "mamba2": linear(Mamba2Config(n_heads=2, d_state=8)),
    "bert": EncoderConfig(**SMALL),
    "deberta": EncoderConfig(position=PositionEncoding.relative, **SMALL),
}


def found_elsewhere(function, *words):
    """What a function of this file returns where compiling is possible."""
    return json.loads(printed(SCRIPT, function, *words).splitlines()[-1])


def batches():
    """Of several documents each; the last text ends early, and is followed by nothing at all."""
    windows = torch.randint(0, 20, (4, 4, 13), generator=torch.Generator().manual_seed(0))
    windows[3, 2, 6:] = -1
    windows[3, 3] = -1
    return windows


def trained(kind, precision, *, is_compiled):
    """Losses of a few steps, and the weights after them."""
    model = CONFIGS[kind].build(20, 12, 0)
    objective = Objective(model, eos=19, is_visible_across_documents=False)
    optimizer = OptimConfig().build(list(objective.parameters()), [], is_fused=True)
    with pytest.MonkeyPatch.context() as patched:
        if not is_compiled:
            patched.setattr(torch, "compile", lambda function, **_: function)
        step = CompiledStep(objective, optimizer, gradient_accumulation_steps=1, gradient_clip=1.0)
    losses = []
    for windows in batches():
        n_targets = (windows[:, 1:] >= 0).sum().float()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            losses.append(step(windows, n_targets, torch.tensor(0.01)).item())
    return losses, torch.cat([p.detach().flatten() for p in model.parameters()])


def compared(kind, precision):
    """Losses of plain and of compiled steps, and how far the weights part."""
    plain, right = trained(kind, precision, is_compiled=False)
    whole, found = trained(kind, precision, is_compiled=True)
    return {"plain": plain, "whole": whole, "apart": ((found - right).norm() / right.norm()).item()}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", CONFIGS)
def test_compiled_steps_are_the_plain_ones(kind):
    found = found_elsewhere("compared", kind, "fp32")
    is_linear = CONFIGS[kind].mixer is not None
    assert found["whole"] == pytest.approx(found["plain"], rel=1e-5 if is_linear else 1e-4)
    assert found["apart"] < (1e-5 if is_linear else 1e-3)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["relative", "bert", "canon"])
def test_compiled_steps_in_bf16_are_the_plain_ones(kind):
    found = found_elsewhere("compared", kind, "bf16")
    assert found["whole"] == pytest.approx(found["plain"], rel=0.01)
    assert found["apart"] < 0.05


def written():
    """Texts that models write with compiled and with plain steps."""
    texts = []
    for kind in ("relative", "position_only", "uniform", "canon", "alibi", "quarter rope"):
        model = CONFIGS[kind].build(20, 12, 0)
        for is_compiled in (True, False):
            sampling = Sampling(max_new_tokens=18, is_compiled=is_compiled)
            tokens = generate(model, [[1], [2, 3, 4, 5], [6, 1, 3]], sampling, seed=0).tokens
            texts.append([row.tolist() for row in tokens])
    return texts


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compiled_steps_write_the_same_text():
    texts = found_elsewhere("written")
    assert texts[::2] == texts[1::2]
