"""Many seeds and rates in one command: every run has its own record, however it was carried out."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from physlm.config import composed, register
from physlm.errors import InputError
from physlm.record import read_record
from physlm.replication import replicate
from tests.command_line import begun, called, run
from tests.conftest import printed

SMALL = (
    "+experiment=capacity_100x",
    "data.n_people=60",
    "data.exposures=20",
    "model.d_model=16",
    "optim.warmup_steps=50",
    "runtime.steps_per_chunk=8",
)


def records(folder):
    found = [read_record(path) for path in folder.glob("runs/*/record.json")]
    return {(r.config["seed"], r.config["optim"]["learning_rate"]): r for r in found}


POINTS = ("seeds=2", "learning_rates=[6e-3,3e-3]")
PAIR = ("seeds=2", "learning_rates=[6e-3]")


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory):
    """A group of runs as replicas of one program."""
    folder = tmp_path_factory.mktemp("replicas")
    return folder, called(*SMALL, *POINTS, "runtime.replicas=true", cwd=folder, check=0)


def test_every_seed_and_rate_is_a_run_and_a_table_sums_up_each_rate(side_by_side):
    folder, done = side_by_side
    found = records(folder)
    assert set(found) == {(s, rate) for s in (0, 1) for rate in (6e-3, 3e-3)}
    values = [
        found[s, 6e-3].metric("capacity/bits_per_parameter{split=train}").value for s in (0, 1)
    ]
    table = done.stdout.split("learning rate 0.006")[1]
    row = next(line for line in table.splitlines() if "bits_per_parameter" in line)
    assert float(re.findall(r"-?\d+\.\d+", row)[0]) == pytest.approx(sum(values) / 2, abs=1e-3)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("histogram: ")
    assert (folder / last.removeprefix("histogram: ")).stat().st_size > 5000


def test_a_point_is_the_run_that_it_would_be_alone(side_by_side):
    folder, _ = side_by_side
    alone = called(*SMALL, "seed=1", cwd=folder, check=0)
    assert "finished before" in alone.stdout


def test_one_rate_is_a_run_at_that_rate(side_by_side):
    folder, _ = side_by_side
    done = called(*SMALL, "learning_rates=[3e-3]", cwd=folder, check=0)
    assert "finished before" in done.stdout
    assert records(folder)[0, 3e-3].run_id in done.stdout


def test_a_group_is_carried_out_once(side_by_side):
    folder, _ = side_by_side
    again = called(*SMALL, *POINTS, "runtime.replicas=true", cwd=folder, check=0)
    assert "4 finished before" in again.stdout


@pytest.fixture(scope="module")
def in_processes(tmp_path_factory):
    """A pair of these runs, each in a process of its own."""
    folder = tmp_path_factory.mktemp("processes")
    return folder, called(*SMALL, *PAIR, cwd=folder, check=0)


@pytest.mark.slow
def test_replicas_and_processes_come_to_the_same_numbers(side_by_side, in_processes):
    theirs, ours = records(in_processes[0]), records(side_by_side[0])
    assert "Warning" not in side_by_side[1].stderr
    assert set(theirs) == {(0, 6e-3), (1, 6e-3)}
    for point in theirs:
        record = ours[point]
        assert record.run_id == theirs[point].run_id
        for metric in record.metrics:
            other = theirs[point].metric(metric.text)
            spread = 0.02 * max(1.0, abs(other.value))
            assert metric.value == pytest.approx(other.value, abs=spread), metric.text
        assert record.exposures == 20
        assert (record.n_replicas, theirs[point].n_replicas) == (4, 1)
        assert record.steps == theirs[point].steps


@pytest.mark.slow
def test_a_run_of_a_process_is_that_of_a_command_to_the_bit(in_processes, tmp_path):
    """Whatever the process has completed before: here two runs one after the other."""
    theirs = records(in_processes[0])
    for seed in (0, 1):
        called(*SMALL, f"seed={seed}", "learning_rates=[6e-3]", cwd=tmp_path, check=0)
    ours = records(tmp_path)
    assert set(ours) == {(0, 6e-3), (1, 6e-3)}
    for point, record in ours.items():
        assert record.run_id == theirs[point].run_id
        assert record.metrics == theirs[point].metrics
        assert record.sha256 == theirs[point].sha256


# Shape checks of these tests cannot be compiled.
MODELS_LEFT = """
import gc, sys
from physlm.config import composed, register
from physlm.models.language_model import LanguageModel
from physlm.pipeline import execute
from physlm.run_directory import RunDirectory
register()
for point in composed(tuple(sys.argv[1:])).points:
    execute(point, RunDirectory(point.run_dir))
gc.collect()
print(sum(issubclass(type(found), LanguageModel) for found in gc.get_objects()))
"""


@pytest.mark.slow
def test_a_process_keeps_no_model_of_the_runs_before(tmp_path):
    words = (*SMALL, "seeds=3", "runtime.compile=true", f"runs_dir={tmp_path}")
    told = printed(MODELS_LEFT, *words, "runtime.n_cores=1", "runtime.progress_bar=false")
    assert told.splitlines()[-1] == "0"
    assert len(list(tmp_path.glob("*/record.json"))) == 3


@pytest.mark.slow
def test_a_group_may_be_a_point_of_a_parallel_sweep(in_processes, tmp_path):
    """Then it is in processes of a process."""
    run(*SMALL, *PAIR, "launcher=processes", "--multirun", cwd=tmp_path, check=0)
    theirs, ours = records(in_processes[0]), records(tmp_path)
    assert {k: r.metrics for k, r in ours.items()} == {k: r.metrics for k, r in theirs.items()}


def test_one_cannot_start_from_many_runs():
    register()
    with pytest.raises(InputError, match="init_from: seeds=2 names many runs; name one by seed="):
        composed(("+experiment=capacity_100x", "init_from='+experiment=capacity_100x seeds=2'"))


@pytest.mark.slow
def test_an_interrupted_group_of_replicas_goes_on(tmp_path):
    words = (
        *SMALL[:1],
        "data.n_people=200",
        "seeds=2",
        "data.exposures=40",
        "runtime.replicas=true",
        "optim.warmup_steps=200",
        "runtime.steps_per_chunk=4",
    )
    with begun(*words, cwd=tmp_path) as started:
        wait_for_steps(tmp_path)
        started.send_signal(signal.SIGTERM)
        _, told = started.communicate(timeout=120)
    assert started.returncode == 130, told
    assert "run the same command to resume" in told
    assert len(list(tmp_path.glob("runs/replicates/*/last.ckpt"))) == 1
    assert not records(tmp_path)
    before = steps_logged(tmp_path)
    run(*words, cwd=tmp_path, check=0)
    assert len(records(tmp_path)) == 2
    assert steps_logged(tmp_path)[: len(before) - 1] == before[:-1]
    assert steps_logged(tmp_path) == sorted(set(steps_logged(tmp_path)))
    assert not list(tmp_path.glob("runs/replicates/*/last.ckpt"))


@pytest.mark.slow
def test_what_runs_in_processes_stops_and_begins_no_other_run(tmp_path):
    words = (*SMALL[:1], "data.n_people=200", "seeds=6", "runtime.steps_per_chunk=4")
    with begun(*words, cwd=tmp_path) as started:
        wait_for_steps(tmp_path)
        started.send_signal(signal.SIGTERM)
        _, told = started.communicate(timeout=120)
    assert started.returncode == 130, told
    assert "run the same command to resume" in told
    assert not records(tmp_path)
    assert len(list(tmp_path.glob("runs/*/metrics.jsonl"))) <= 2


@pytest.mark.slow
def test_a_killed_process_takes_only_its_own_runs_with_it(tmp_path):
    words = (*SMALL, "data.exposures=100", "seeds=4", "runtime.n_threads=1")
    with begun(*words, cwd=tmp_path) as started:
        wait_for_steps(tmp_path)
        os.kill(workers_of(started.pid)[0], signal.SIGKILL)
        _, told = started.communicate(timeout=240)
    assert started.returncode == 1, told
    assert "killed: its process was killed" in told
    assert "1 of 4 runs failed, as reported above; the same command repeats only these" in told
    assert len(records(tmp_path)) == 3


def workers_of(pid):
    """The processes of a command that complete runs: copies of one that it started."""
    return [copy for child in forked_of(pid) for copy in forked_of(child)]


def forked_of(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    commands = {int(c): Path(f"/proc/{c}/cmdline").read_text() for c in children}
    return [c for c, command in commands.items() if "forkserver" in command]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are copies on Linux only")
def test_sigterm_of_a_whole_group_of_processes_leaves_none_behind(tmp_path):
    """As a job scheduler sends it: to the process that is copied, too."""
    with begun(*SMALL, "data.exposures=400", "seeds=4", cwd=tmp_path) as started:
        wait_for_steps(tmp_path)
        copies = workers_of(started.pid)
        assert copies
        os.killpg(started.pid, signal.SIGTERM)
        _, told = started.communicate(timeout=240)
    assert started.returncode == 130, told
    assert "Traceback" not in told
    assert not [pid for pid in copies if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_a_group_that_was_finished_in_another_way_is_not_gone_on_with(in_processes):
    folder, _ = in_processes
    register()
    words = (*SMALL, *PAIR, "runtime.replicas=true", f"runs_dir={folder}/runs")
    config = composed(words)
    stale = folder / "runs/replicates"
    (found,) = stale.iterdir()
    (found / "last.ckpt").write_bytes(b"stale")
    replication = replicate(config)
    assert [outcome.was_done for outcome in replication.outcomes] == [True] * 2
    assert not (found / "last.ckpt").exists()


def steps_logged(folder):
    path = sorted(folder.glob("runs/*/metrics.jsonl"))[0]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["step"] for row in rows if "train/loss_nats" in row]


def wait_for_steps(folder):
    for _ in range(3000):
        if list(folder.glob("runs/*/metrics.jsonl")) and len(steps_logged(folder)) > 3:
            return
        time.sleep(0.1)
    pytest.fail("training did not begin")


def test_a_replica_that_diverges_is_recorded_and_told(tmp_path):
    words = (*SMALL, "learning_rates=[6e-3,1e30]", "runtime.replicas=true")
    done = called(*words, cwd=tmp_path, check=1)
    found = records(tmp_path)
    assert found[0, 6e-3].status == "finished"
    assert found[0, 1e30].status == "diverged"
    assert "diverged: the loss is not finite at step" in done.stderr
    assert "1 of 2 runs failed, as reported above" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("seeds=0",), "seeds=0; must be at least 1"),
        (
            ("seeds=2", "runtime.replicas=true", "trainer.gradient_accumulation_steps=2"),
            "gradient_accumulation_steps=1, not 2; change that",
        ),
        (("seeds=2", "runtime.replicas=true", "runtime.n_evaluations=3"), "n_evaluations=0, not 3"),
        (("seeds=2", "runtime.replicas=true", "model=bert"), "needs a decoder; change that"),
        (("learning_rates=[1e-3,-1]",), "learning_rates=[0.001, -1.0]; each must be above 0"),
        (("learning_rates=[1e-3,1e-3]",), "each must be above 0, finite, and given once"),
        (("seeds=2", "data.n_people=40000"), "n_people=40000 exceeds the 32768 distinct names"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(words, message, tmp_path):
    register()
    with pytest.raises(InputError, match=re.escape(message)):
        replicate(composed(("+experiment=capacity_100x", *words, f"runs_dir={tmp_path}")))
    assert not list(tmp_path.glob("*/record.json"))


def test_several_devices_are_refused_once_in_one_line(tmp_path):
    words = ("+experiment=capacity_100x", "seeds=2", "runtime.device=cpu", "runtime.n_devices=2")
    done = called(*words, cwd=tmp_path, check=2)
    assert done.stderr.startswith("error: runtime.n_devices=2 in a sweep")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("runs/*/record.json"))
