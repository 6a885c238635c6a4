"""Whole steps as compiled programs against plain steps.

In a process of its own: the compiler does not see through the shape checks of the other tests.
"""

import json
import subprocess
import sys

import pytest
import torch

from physlm.errors import InterruptedRunError
from physlm.models.decoder import DecoderConfig
from physlm.train.batches import Batches
from physlm.train.module import Precision
from physlm.train.objective import Objective
from physlm.train.schedule import OptimConfig
from physlm.train.whole_step import WholeStep
from tests.conftest import tiny_biod_config
from tests.train.test_fit import losses, stop_after, train, train_whole, weights

SCRIPT = """
import json, sys
from pathlib import Path
from tests.train import test_whole_step
print(json.dumps(getattr(test_whole_step, sys.argv[1])(Path(sys.argv[2]))))
"""

CORPUS = tiny_biod_config().build(0)

SETTINGS = (
    {"n_accumulate": 2, "masked": True},
    {"gradient_clip": None, "precision": "bf16"},
)


def small():
    """A model that compiles quickly."""
    return DecoderConfig(n_layers=1, d_model=16, init_std=0.2).build(CORPUS.vocabulary.size, 12, 0)


def found_elsewhere(name, folder):
    """What a function of this file returns where compiling is possible."""
    command = [sys.executable, "-c", SCRIPT, name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def compared(folder):
    """For each setting the losses of plain and compiled steps, and how far the weights part."""
    found = []
    for i, given in enumerate(SETTINGS):
        settings = given | {"precision": Precision(given.get("precision", "fp32"))}
        plain, _, curves = train(CORPUS, folder / f"plain-{i}", model=small(), **settings)
        whole, _, again = train(
            CORPUS, folder / f"whole-{i}", is_compiled=True, model=small(), **settings
        )
        apart = (weights(plain) - weights(whole)).norm() / weights(plain).norm()
        found.append([losses(curves), losses(again), apart.item()])
    return found


@pytest.mark.timeout(600)
def test_compiled_steps_are_the_plain_ones(tmp_path):
    for settings, found in zip(SETTINGS, found_elsewhere("compared", tmp_path), strict=True):
        plain, whole, apart = found
        is_exact = "precision" not in settings
        assert whole == pytest.approx(plain, rel=1e-4 if is_exact else 0.01), settings
        assert apart < (1e-3 if is_exact else 0.05), settings


def resumed(folder):
    """Whether a compiled run that was stopped ends with the weights of one that was not."""
    whole, *_ = train(CORPUS, folder / "whole", is_compiled=True, model=small())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Batches, "__iter__", stop_after(2))
        with pytest.raises(InterruptedRunError):
            train(CORPUS, folder / "parts", is_compiled=True, model=small())
    parts, done, _ = train(CORPUS, folder / "parts", is_compiled=True, model=small())
    diverged = train_whole(CORPUS, folder / "diverged", is_compiled=True, model=small(),
                           optim=OptimConfig(learning_rate=1e30, warmup_steps=1))  # fmt: skip
    return [torch.equal(weights(parts), weights(whole)), done.steps, diverged.diverged_at]


@pytest.mark.timeout(600)
def test_a_compiled_run_resumes_bit_for_bit_and_notices_divergence(tmp_path):
    is_equal, n_steps, diverged_at = found_elsewhere("resumed", tmp_path)
    assert is_equal
    assert 0 < diverged_at < n_steps


def test_frozen_parameters_stay(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    model = DecoderConfig(d_model=16, init_std=0.2).build(20, 12, 0)
    frozen = next(model.parameters()).requires_grad_(requires_grad=False)
    before = [p.detach().clone() for p in model.parameters()]
    objective = Objective(model, eos=0, is_visible_across_documents=True)
    optimizer = OptimConfig().build(list(objective.parameters()), [], is_fused=True)
    step = WholeStep(objective, optimizer, n_accumulate=1, gradient_clip=1.0)
    step(torch.randint(20, (3, 13)), torch.tensor(36.0), torch.tensor(0.01))
    assert torch.equal(frozen, before[0])
    assert not any(map(torch.equal, list(model.parameters())[1:], before[1:]))
