"""Ways of doing many runs go together: what works alone works in pairs, and side by side."""

import os
import signal
import subprocess
import sys
import time
from threading import Thread

import pytest
from filelock import FileLock

from physlm.config import composed, config_dir
from physlm.record import read_record
from physlm.run_directory import RunDirectory, read_curves
from physlm.train.fit import saved_steps
from tests.command_line import TINY_PEOPLE, TINY_RUN, begun, called, records, run


def test_who_waits_for_a_run_says_so_and_then_has_it(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    directory, order = RunDirectory(tmp_path), []

    def second():
        with directory.locked(waits=True):
            order.append("second")

    with directory.locked():
        other = Thread(target=second)
        other.start()
        time.sleep(0.2)
        order.append("first")
    other.join(timeout=10)
    assert order == ["first", "second"]
    told = capfd.readouterr().err
    assert told == f"{tmp_path} is in use by another process; waiting for it\n"


HEIR = (
    "data=biod",
    "data.n_people=20",
    "data.exposures=4",
    "data.seq_len=22",
    "trainer.batch_size=2",
    "data.name_sizes=[32,32,32]",
    "data.attribute_order=fixed",
    "eval.capacity.n_renderings=1",
    "model=inherited",
    "optim.warmup_steps=5",
    "runtime.compile=false",
    f"init_from='{' '.join(TINY_PEOPLE[:-1])} seed=0'",
)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("start", "words", "n_runs"),
    [
        # The same runs twice, each group with a process for each of its runs.
        (TINY_PEOPLE, ("seeds=2", "label=mine,yours", "launcher=processes"), 2),
        (TINY_PEOPLE, ("seeds=2", "label=mine,yours", "launcher=serial"), 2),
        # Groups that have a run in common, each in one program; W&B runs of their own.
        (
            TINY_PEOPLE,
            ("seeds=2", "seed=0,1", "runtime.replicas=true", "logger=wandb", "launcher=processes"),
            3,
        ),
        # Single runs: the same one twice, and its table.
        (TINY_PEOPLE, ("label=mine,yours", "logger=csv", "launcher=processes"), 1),
        # Points and seeds that start from one run, which nobody has done yet.
        (HEIR, ("seeds=2", "label=mine,yours", "launcher=processes"), 3),
        (HEIR, ("seed=0,1", "launcher=processes"), 3),
    ],
    ids=lambda value: " ".join(value[-3:]) if isinstance(value, tuple) else "",
)
def test_ways_of_doing_many_runs_go_together(start, words, n_runs, tmp_path):
    done = run(*start, *words, "--multirun", cwd=tmp_path, check=0, env={"WANDB_MODE": "offline"})
    found = records(tmp_path)
    assert len(found) == n_runs, done.stderr
    assert {record.status for record in found} == {"finished"}
    assert "error" not in done.stderr.lower()
    for path in tmp_path.glob("runs/*/metrics.jsonl"):
        steps = [row["step"] for row in read_curves(path) if "train/loss_nats" in row]
        assert steps == sorted(set(steps))  # nobody else wrote there
    if "logger=wandb" in words:
        assert len(list(tmp_path.glob("wandb/offline-run-*/*.wandb"))) == n_runs
    if "logger=csv" in words:
        assert len(list(tmp_path.glob("runs/*/scores.csv"))) == n_runs


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_groups_that_share_runs_in_another_order_never_wait_for_each_other(tmp_path):
    orders = ("[6e-3,3e-3]", "[3e-3,6e-3]")
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "physlm.run",
                *TINY_PEOPLE,
                f"learning_rates={rates}",
                "runtime.replicas=true",
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rates in orders
    ]
    told = [process.communicate(timeout=200) for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    assert len(records(tmp_path)) == 2
    assert sum("2 finished before" in out for out, _ in told) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("words", [("seed=0,1",), ("seeds=2",)])
def test_an_interrupted_parallel_sweep_goes_on(words, tmp_path):
    words = (
        *TINY_PEOPLE,
        "data.exposures=400",
        *words,
        "runtime.checkpoint_seconds=0",
        "launcher=processes",
        "--multirun",
    )
    with begun(*words, cwd=tmp_path) as started:
        for _ in range(3000):
            if list(tmp_path.glob("runs/*/last.ckpt")):
                break
            time.sleep(0.1)
        os.killpg(started.pid, signal.SIGINT)  # as Ctrl-C does
        _, told = started.communicate(timeout=120)
    assert started.returncode == 130, told
    assert "Traceback" not in told
    assert "interrupted: asked to stop; run the same command to resume" in told
    saved = [saved_steps(path) for path in tmp_path.glob("runs/*/last.ckpt")]
    assert saved
    assert not records(tmp_path)
    run(*words, cwd=tmp_path, check=0)
    assert len(records(tmp_path)) == 2


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("words", [("seed=0,1,2,3", "--multirun"), ("seeds=4",)])
def test_copies_of_one_command_are_a_queue(words, tmp_path):
    """Each point is trained once, and nobody fails; both have the table of all at the end."""
    command = [sys.executable, "-m", "physlm.run", *TINY_PEOPLE, "data.exposures=60", *words]
    started = [
        subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=500) for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    assert len(records(tmp_path)) == 4
    for path in tmp_path.glob("runs/*/metrics.jsonl"):
        steps = [row["step"] for row in read_curves(path) if "train/loss_nats" in row]
        assert steps == sorted(set(steps))  # trained once
    if "--multirun" in words:
        assert all("4 points" in out for out, _ in told)
        n_trained = [out.count("record: ") - out.count("finished before") for out, _ in told]
        assert sum(n_trained) == 4
        assert min(n_trained) > 0  # both had work


def test_a_point_in_use_comes_last_and_is_taken_up_when_it_is_free(tmp_path):
    words = (*TINY_RUN, "seed=0,1", "--multirun", f"runs_dir={tmp_path}")
    first = composed((*TINY_RUN, "seed=0", f"runs_dir={tmp_path}"))
    order = []

    def release():
        """As a process that ends without a result, once the other point has one."""
        while not records_in(tmp_path):
            time.sleep(0.05)
        order.append([one.config["seed"] for one in records_in(tmp_path)])
        held.release()

    (tmp_path / first.run_id).mkdir(parents=True)
    held = FileLock(tmp_path / first.run_id / "lock", thread_local=False)
    held.acquire()
    other = Thread(target=release)
    other.start()
    done = called(*words, cwd=tmp_path, check=0)
    other.join()
    assert order == [[1]]
    assert {one.config["seed"] for one in records_in(tmp_path)} == {0, 1}
    assert done.stderr.count("in use by other processes; waiting for one of them") <= 1
    assert "error" not in done.stderr


def test_a_file_of_a_users_folder_may_make_a_command_a_sweep(tmp_path):
    (tmp_path / "own/experiment").mkdir(parents=True)
    grid = "hydra: {mode: MULTIRUN, sweeper: {params: {seed: '0,1'}}}"
    (tmp_path / "own/experiment/grid.yaml").write_text(f"# @package _global_\n{grid}\n")
    words = ("--config-dir", "own", "+experiment=grid", *TINY_RUN, f"runs_dir={tmp_path}")
    assert "2 points" in called(*words, cwd=tmp_path, check=0).stdout
    assert {one.config["seed"] for one in records_in(tmp_path)} == {0, 1}


def test_no_file_of_ours_but_a_sweep_sets_hydras_mode():
    """Hence a command without one need not be composed to look for it."""
    files = [path for path in config_dir().rglob("*.yaml") if "MULTIRUN" in path.read_text()]
    assert files == []


def records_in(folder):
    return [read_record(path) for path in folder.glob("*/record.json")]
