"""Two CPU processes give the single process's run."""

import json
import subprocess
import sys

import pytest

from physlm.record import read_record
from physlm.run_directory import read_curves

WORDS = (
    "+experiment=capacity_100x",
    "data.n_people=64",
    "data.exposures=20",
    "model.d_model=16",
    "optim.warmup_steps=50",
    "runtime.steps_per_chunk=8",
)


def run(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "physlm.run", *WORDS, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = (folder / "runs").glob("*/record.json")
    losses = [
        r["train/loss_nats"]
        for r in read_curves(path.with_name("metrics.jsonl"))
        if "train/loss_nats" in r
    ]
    return read_record(path), losses


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "words",
    [(), ("trainer.gradient_accumulation_steps=2",), ("runtime.compile=true",)],
    ids=json.dumps,
)
def test_two_processes_give_the_single_process_loss_curve(tmp_path, words):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, losses_one = run(tmp_path / "one", *words)
    two, losses_two = run(tmp_path / "two", *words, "runtime.n_devices=2")
    assert losses_two == pytest.approx(losses_one, rel=1e-3)
    assert (two.steps, two.tokens, two.exposures) == (one.steps, one.tokens, one.exposures)
    name = "capacity/bits_per_parameter{split=train}"
    assert two.metric(name).value == pytest.approx(one.metric(name).value, abs=0.01)
