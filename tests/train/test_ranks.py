"""Two ranks against one process and against Lightning's DDP; stopped, killed, resumed.

The ranks are processes of their own, started as torchrun starts them.
"""

import os
import signal
import socket
import subprocess
import sys

import lightning
import pytest
import torch

from physlm.errors import InterruptedRunError
from physlm.models.architecture import DecoderConfig
from physlm.models.components import MlpKind
from physlm.run_directory import RunDirectory, read_curves
from physlm.train.batches import Batches
from physlm.train.fit import lightning_quiet, saved_steps
from physlm.train.module import TrainingModule
from physlm.train.objective import Objective
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import Precision, TrainerConfig
from tests.conftest import tiny_biod_config
from tests.train.training import OPTIM, Marked, losses, stop_after, train, train_whole, weights

SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from physlm.models import decoder  # before shapes are checked, which cannot be traced
from tests.train import test_ranks
if sys.argv[3] == "traced":
    torch.compile = lambda function, **_: function
getattr(test_ranks, sys.argv[1])(Path(sys.argv[2]), int(sys.argv[4]))
"""

CORPUS = Marked(tiny_biod_config().build(0))  # targets that are spread unevenly over ranks
HARD = {
    "gradient_accumulation_steps": 3,
    "gradient_clip": 0.1,
    "masked": True,
    "model": {"mlp": MlpKind.gated_silu, "n_heads": 2, "n_kv_heads": 1, "sliding_window": 5},
}
EXPERTS = {"n_experts": 2, "n_active_experts": 1, "load_balance": 0.1}
SETTINGS = {
    "unclipped": {"gradient_clip": None},
    "bf16": {"precision": Precision.bf16},
    "experts": {"model": EXPERTS},
}
CLIPPED = {"gradient_clip": 0.1}  # quick to compile


def started(name, folder, kind):
    """A function of this file in two ranks; their exit statuses and what they write to stderr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, name, str(folder), kind, str(rank)],
            env=os.environ | place | {"LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        errors = [rank.communicate(timeout=800)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    return [rank.returncode for rank in ranks], errors


def done(name, folder, kind):
    """What the function has saved in each rank."""
    statuses, errors = started(name, folder, kind)
    assert statuses == [0, 0], "\n".join(errors)
    return [torch.load(folder / f"{name} {rank}.pt", weights_only=True) for rank in range(2)]


def small(seed=0, **changes):
    config = DecoderConfig(n_layers=1, d_model=16, init_std=0.2, **changes)
    return config.build(CORPUS.vocabulary.size, 12, seed)


def trained(folder, rank, given, **changes):
    """A rank's result; the ranks begin with different weights, of which those of rank 0 count."""
    settings = {"model": {}} | given | changes
    settings["model"] = small(rank, **settings["model"])
    runtime = {"n_devices": 2, "checkpoint_seconds": 0.0}
    return train_whole(CORPUS, folder, runtime=runtime, **settings)


def hard(folder, rank):
    """Weights of runs with every difficulty at once, and how many threads they use."""
    torch.set_num_threads(2 - rank)
    found = weights_of(folder, rank, "hard", HARD) | {"threads": torch.get_num_threads()}
    torch.save(found, folder / f"hard {rank}.pt")


def many(folder, rank):
    """Weights of runs of other kinds."""
    found = {}
    for name, given in SETTINGS.items():
        found |= weights_of(folder, rank, name, given)
    found["lightning"] = weights(by_lightning(small(rank, **EXPERTS)))
    wild = OptimConfig(learning_rate=1e30, warmup_steps=1)
    diverged = trained(folder / "diverged", rank, {}, is_compiled=True, optim=wild)
    torch.save(found | {"diverged_at": diverged.diverged_at}, folder / f"many {rank}.pt")


def weights_of(folder, rank, name, given):
    """With steps that torch runs one operation at a time, and with those that are traced."""
    return {
        run: weights(trained(folder / run, rank, given, is_compiled=is_compiled).model)
        for is_compiled in (False, True)
        for run in [f"{name} {is_compiled}"]
    }


def by_lightning(model):
    """Trained through Lightning's DDP wrapper."""
    objective = Objective(model, eos=CORPUS.vocabulary.eos, is_visible_across_documents=True)
    batches, trainer = Batches(CORPUS, 12, 6, 3), TrainerConfig(batch_size=6)
    module = TrainingModule(objective, batches, optim=OPTIM, trainer=trainer, is_managed=True)
    with lightning_quiet():
        lightning.Trainer(
            accelerator="cpu",
            devices=2,
            strategy="ddp",
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            limit_val_batches=0,
        ).fit(module)
    return model


def stopped_and_killed(folder, rank):
    """Asked to stop before the third chunk, and killed two chunks later."""
    for n, number in ((2, signal.SIGTERM), (2, signal.SIGKILL)):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Batches, "__iter__", stop_after(n, number))
            with pytest.raises(InterruptedRunError):
                trained(folder / "parts", rank, CLIPPED, is_compiled=True)


def resumed(folder, rank):
    """The rest of it, and the same run without an interruption."""
    found = {
        name: weights(trained(folder / name, rank, CLIPPED, is_compiled=True).model)
        for name in ("parts", "whole")
    }
    torch.save(found, folder / f"resumed {rank}.pt")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """The folder of the runs, and the results of both ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    return folder, *done("many", folder, "traced")


@pytest.mark.usefixtures("uncompiled")
def test_two_ranks_are_one_process_and_hold_the_same_weights(tmp_path):
    first, second = done("hard", tmp_path, "traced")
    for is_compiled in (False, True):
        require_like_one_process(tmp_path, first, second, "hard", HARD, is_compiled=is_compiled)
    assert first["threads"] == second["threads"] == 2


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize("name", ["unclipped", "bf16"])
def test_so_they_are_without_clipping_and_in_bf16(ranks, name, is_compiled):
    require_like_one_process(*ranks, name, SETTINGS[name], is_compiled=is_compiled)


def require_like_one_process(folder, first, second, name, given, *, is_compiled):
    """Equal weights in both ranks, and weights and losses of one process up to rounding."""
    run = f"{name} {is_compiled}"
    given = {"model": {}} | given
    given["model"] = small(**given["model"])
    model, _, curves = train(CORPUS, folder / f"{run} alone", is_compiled=is_compiled, **given)
    assert torch.equal(first[run], second[run])
    apart = (first[run] - weights(model)).norm() / weights(model).norm()
    assert apart < (0.01 if name == "bf16" else 1e-5)
    found = losses(read_curves(RunDirectory(folder / run).metrics))
    assert found == pytest.approx(losses(curves), rel=0.01 if name == "bf16" else 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("is_compiled", [False, True])
def test_losses_that_are_no_sums_over_windows_are_those_of_lightnings_ddp(ranks, is_compiled):
    """Experts, whose load and capacity are those of a rank's part."""
    _, first, second = ranks
    assert torch.equal(first[f"experts {is_compiled}"], second[f"experts {is_compiled}"])
    torch.testing.assert_close(
        first[f"experts {is_compiled}"], first["lightning"], atol=1e-5, rtol=1e-4
    )


@pytest.mark.slow
def test_ranks_diverge_at_the_same_step(ranks):
    _, first, second = ranks
    assert first["diverged_at"] == second["diverged_at"] > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["traced", "compiled"])
def test_stopped_and_killed_ranks_end_bit_for_bit_like_uninterrupted_ones(tmp_path, kind):
    statuses, errors = started("stopped_and_killed", tmp_path, kind)
    assert -signal.SIGKILL in statuses, errors
    assert 0 not in statuses
    directory = RunDirectory(tmp_path / "parts")
    assert saved_steps(directory.checkpoint) > 6  # beyond the steps before the request to stop
    first, second = done("resumed", tmp_path, kind)
    assert torch.equal(first["parts"], first["whole"])
    assert torch.equal(second["parts"], first["whole"])
    assert torch.equal(second["whole"], first["whole"])
