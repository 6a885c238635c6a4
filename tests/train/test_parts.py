"""Batches in parts: the same weights, to the bit, however many processes compute them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from physlm.models.architecture import DecoderConfig
from physlm.train.parts import _Clock
from physlm.train.runtime import RuntimeConfig
from physlm.train.trainer import TrainerConfig

WORDS = (
    "+experiment=capacity_1000x",
    "data.n_people=500",
    "data.exposures=600",
    "optim.warmup_steps=100",
    "runtime.compile=true",
    "runtime.progress_bar=false",
    "runtime.checkpoint_seconds=0",
    "~eval",
)


def started(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "physlm.run", *WORDS, *words, f"runs_dir={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def weights(folder):
    (path,) = folder.glob("*/model.safetensors")
    return load_file(path)


def steps(folder):
    """Optimizer steps that the curves have."""
    lines = [line for p in folder.glob("*/metrics.jsonl") for line in p.read_text().splitlines()]
    return json.loads(lines[-2])["step"] if len(lines) > 1 else 0  # the last may be half written


def workers_of(pid):
    """Processes that compute parts for a run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if "part_worker" in Path(f"/proc/{child}/cmdline").read_text()
    ]


def wait_for(found, seconds=100):
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return value


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_processes_change_no_bit_also_if_they_or_the_run_are_killed(tmp_path):
    """One core; two; two of which one is killed; two, killed as a whole and resumed."""
    one, two, without, resumed = (tmp_path / name for name in "abcd")
    assert started(one, "runtime.n_cores=1").wait() == 0
    assert started(two, "runtime.n_cores=2").wait() == 0
    run = started(without, "runtime.n_cores=2")
    (worker,) = wait_for(lambda: workers_of(run.pid))
    wait_for(lambda: steps(without) > 1500)  # it takes part by now
    os.kill(worker, signal.SIGKILL)
    assert run.wait() == 0
    run = started(resumed, "runtime.n_cores=2")
    (worker,) = wait_for(lambda: workers_of(run.pid))
    wait_for(lambda: list(resumed.glob("*/last.ckpt")))
    run.kill()
    run.wait()
    wait_for(lambda: not Path(f"/proc/{worker}").exists(), 30)  # it ends with the run
    assert not list(resumed.glob("*/model.safetensors"))
    assert started(resumed, "runtime.n_cores=2").wait() == 0
    right = weights(one)
    for folder in (two, without, resumed):
        assert all(torch.equal(right[name], found) for name, found in weights(folder).items())


@pytest.mark.parametrize(
    ("n_cores", "changes", "found"),
    [
        (1, {}, (2, 1)),
        (2, {}, (2, 2)),
        (4, {}, (4, 4)),
        (2, {"batch_size": 95}, (1, 1)),  # an odd batch
        (5, {}, (1, 1)),  # which do not divide it
        (2, {"batch_size": 16}, (1, 1)),  # parts of fewer than 256 tokens
        (2, {"gradient_accumulation_steps": 3}, (2, 2)),
        (2, {"gradient_accumulation_steps": 32}, (1, 1)),
    ],
)
def test_a_batch_is_divided_evenly_and_not_too_finely(n_cores, changes, found):
    trainer = TrainerConfig(**{"batch_size": 96} | changes)
    assert RuntimeConfig(n_cores=n_cores).batch_parts(trainer, seq_len=24) == found


def test_losses_with_terms_of_the_whole_batch_are_not_divided():
    plain = DecoderConfig(n_layers=1, d_model=16, n_heads=2)
    assert plain.build(8, 8, 0).has_additive_loss
    experts = DecoderConfig(n_layers=1, d_model=16, n_heads=2, n_experts=2)
    assert not experts.build(8, 8, 0).has_additive_loss


def test_processes_are_ended_where_steps_are_faster_without_them():
    for together, is_ended in ((1.0, False), (3.0, True)):
        clock = _Clock()
        for _ in range(10):
            clock.add(0, 2.0)
        for _ in range(49):
            clock.add(1, together)
            assert not clock.says_alone()
        clock.add(1, together)
        assert clock.says_alone() is is_ended
