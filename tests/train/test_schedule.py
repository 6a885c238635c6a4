import math
from contextlib import nullcontext

import pytest
import torch

from physlm.train.schedule import Decay, OptimConfig


def test_cosine_falls_from_the_peak_to_a_tenth():
    optim = OptimConfig(learning_rate=1.0, warmup_steps=0)
    rates = [optim.rate(10, progress) for progress in (0.0, 0.5, 1.0)]
    assert rates == pytest.approx([1.0, 0.55, 0.1])


def test_linear_and_constant():
    linear = OptimConfig(learning_rate=2.0, warmup_steps=0, decay=Decay.linear, min_lr_ratio=0)
    assert [linear.rate(0, p) for p in (0, 0.25, 1)] == pytest.approx([2, 1.5, 0])
    constant = OptimConfig(learning_rate=2.0, warmup_steps=0, decay=Decay.constant)
    assert constant.rate(0, 0.9) == 2.0


def test_warmup_rises_in_equal_steps_and_ends_on_time():
    optim = OptimConfig(learning_rate=1.0, warmup_steps=4, decay=Decay.constant)
    assert [optim.rate(s, 0.0) for s in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def test_a_warmup_as_long_as_training_is_refused_with_the_numbers():
    """At most so much of the rate is reached as the steps of an independent loop find."""
    optim = OptimConfig(learning_rate=1.0, warmup_steps=1000)
    reached = max(
        (s + 1) / 1000 * (0.1 + 0.45 * (1 + math.cos(math.pi * s / 53))) for s in range(53)
    )
    told = "warmup_steps=1000, but training has about 53 steps: at most 1.5% of .*warmup_steps=5 or"
    assert f"{reached:.1%}" == "1.5%"
    with pytest.raises(ValueError, match=told):
        optim.require_end_of_warmup(53)
    for n_steps in (1000, 1001):
        is_long_enough = n_steps > 1000
        with nullcontext() if is_long_enough else pytest.raises(ValueError, match="about 1000"):
            optim.require_end_of_warmup(n_steps)
    for n_warm in (0, 1):
        OptimConfig(warmup_steps=n_warm).require_end_of_warmup(1)


def test_warmup_and_decay_are_factors():
    both = OptimConfig(warmup_steps=8)
    alone = OptimConfig(warmup_steps=0)
    for step in range(8):
        assert both.rate(step, step / 20) == pytest.approx(
            alone.rate(step, step / 20) * (step + 1) / 8
        )
    assert both.rate(7, 0.4) == alone.rate(7, 0.4)


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
        {"min_lr_ratio": 1.5},
    ],
)
def test_values_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        OptimConfig(**changes)
