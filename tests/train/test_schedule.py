import math

import pytest
import torch

from physlm.train.schedule import Decay, OptimConfig


def test_cosine_falls_from_the_peak_to_a_tenth():
    optim = OptimConfig(learning_rate=1.0, warmup_steps=0)
    rates = [optim.rate(10, progress) for progress in (0.0, 0.5, 1.0)]
    assert rates == pytest.approx([1.0, 0.55, 0.1])


def test_linear_and_constant():
    linear = OptimConfig(learning_rate=2.0, warmup_steps=0, decay=Decay.linear, final_fraction=0)
    assert [linear.rate(0, p) for p in (0, 0.25, 1)] == pytest.approx([2, 1.5, 0])
    constant = OptimConfig(learning_rate=2.0, warmup_steps=0, decay=Decay.constant)
    assert constant.rate(0, 0.9) == 2.0


def test_warmup_rises_in_equal_steps_and_ends_on_time():
    optim = OptimConfig(learning_rate=1.0, warmup_steps=4, decay=Decay.constant)
    assert [optim.rate(s, 0.0) for s in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def test_cosine_is_torchs_cosine():
    parameter = torch.nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=10, eta_min=0.1)
    ours = OptimConfig(learning_rate=1.0, warmup_steps=0)
    for step in range(10):
        assert ours.rate(step, step / 10) == pytest.approx(theirs.get_last_lr()[0])
        sgd.step()
        theirs.step()


def test_only_matrices_decay():
    matrices = list(torch.nn.Linear(3, 4, bias=False).parameters())
    gains = list(torch.nn.LayerNorm(4).parameters())
    optimizer = OptimConfig(weight_decay=0.5).build(matrices, gains, is_fused=True)
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert [decay[id(p)] for p in (*matrices, *gains)] == [0.5, 0.0, 0.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.0},
        {"learning_rate": math.inf},
        {"weight_decay": -1.0},
        {"weight_decay": math.nan},
        {"beta_2": 1.0},
        {"warmup_steps": -1},
    ],
)
def test_values_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        OptimConfig(**changes)
