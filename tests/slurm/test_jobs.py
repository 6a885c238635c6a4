"""Runs as jobs of a real Slurm: arrays, preemption, requeueing, time limits, several nodes."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file

from physlm.record import read_record
from physlm.run_directory import RunDirectory, read_curves
from tests.command_line import TINY_PEOPLE, records
from tests.slurm.cluster import Cluster, missing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()), reason=f"no Slurm here: {missing()}"),
]

# About 20 seconds of training, saved after every chunk.
LONG = (
    *TINY_PEOPLE[:2],
    "data.exposures=1200",
    *TINY_PEOPLE[3:],
    "runtime.checkpoint_seconds=0",
    "runtime.steps_per_chunk=50",
)
JOBS = (
    "launcher=slurm",
    "launcher.mem_gb=1",
    "launcher.cpus_per_task=1",
    "launcher.timeout_min=10",
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def command(cluster, tmp_path):
    """The command line on a login node of the cluster."""

    def call(*words, status=0, cwd=tmp_path, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "physlm.run", *words],
            cwd=cwd,
            env={**cluster.environment, **environment},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == status, (done.stdout, done.stderr, logs(tmp_path))
        return done

    return call


def logs(folder):
    return {str(path): path.read_text() for path in folder.glob("runs/sweeps/*/slurm/*/*.log")}


def job_id(done):
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("job ")]
    return line.removeprefix("job ").partition(":")[0]


def wait_until(holds, seconds=90):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def has_steps(folder):
    return any(path.stat().st_size for path in folder.glob("runs/*/last.ckpt"))


def requeue_now(cluster, job):
    """Slurm lets a requeued job wait for two minutes.

    In the second of its end the node would still refuse it: its credential is revoked.
    """
    wait_until(lambda: cluster.facts(job)["JobState"] == "PENDING")
    cluster.run("scontrol", "update", f"jobid={job}", "starttime=now+5")


def same_as_here(folder, tmp_path_factory, words):
    """Whether the run's weights and metrics are those of the same run in one process."""
    other = tmp_path_factory.mktemp("here")
    done = [sys.executable, "-m", "physlm.run", *words]
    subprocess.run(done, cwd=other, capture_output=True, check=True)
    (own,), (expected,) = folder.glob("runs/*/record.json"), other.glob("runs/*/record.json")
    weights = [load_file(RunDirectory(path.parent).model) for path in (own, expected)]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())
    assert read_record(own).metrics == read_record(expected).metrics
    steps = [row["step"] for row in read_curves(RunDirectory(own.parent).metrics)]
    assert steps == sorted(steps)
    return True


def test_a_single_run_is_a_job_and_its_table_is_shown(command, cluster, tmp_path):
    done = command(*TINY_PEOPLE, *JOBS)
    assert "capacity/bits_per_parameter" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("record: runs/")
    assert cluster.facts(f"{job_id(done)}_0")["JobState"] == "COMPLETED"
    (record,) = records(tmp_path)
    assert record.status == "finished"
    assert record.software["git_revision"]  # of the checkout, through the copy of its code
    assert not list(tmp_path.glob("runs/*/slurm.json"))
    again = command(*TINY_PEOPLE, *JOBS)
    assert "1 of 1 run finished before" in again.stderr
    assert "job " not in again.stderr


def test_seeds_are_an_array_and_one_table(command, tmp_path):
    done = command(*TINY_PEOPLE, "seeds=3", *JOBS)
    assert "n = 3 runs" in done.stdout
    assert sorted(record.config["seed"] for record in records(tmp_path)) == [0, 1, 2]
    assert len(logs(tmp_path)) == 3


def test_failed_points_are_told_with_their_reasons_and_the_others_end(command, cluster, tmp_path):
    words = ("model.n_heads=1,3", "optim.learning_rate=1e-3,1e30", *JOBS)
    done = command(*TINY_PEOPLE, *words, status=2)
    assert "d_model=16 is not divisible by n_heads=3" in done.stderr
    assert "diverged: the loss is not finite at step" in done.stderr
    assert "3 of 4 runs failed" in done.stderr
    job = job_id(done)
    states = [cluster.facts(f"{job}_{i}") for i in range(2)]
    assert sorted(state["JobState"] for state in states) == ["COMPLETED", "FAILED"]
    assert {record.status for record in records(tmp_path)} == {"finished", "diverged"}


def test_refused_points_count_also_if_nobody_waits_for_the_others(command, cluster):
    words = ("model.n_heads=1,3", *JOBS, "launcher.wait=false")
    done = command(*TINY_PEOPLE, *words, status=2)
    assert "d_model=16 is not divisible by n_heads=3" in done.stderr
    assert "1 of 2 runs failed" in done.stderr
    cluster.run("scancel", job_id(done))


def test_a_preempted_run_saves_its_state_and_goes_on(command, cluster, tmp_path, tmp_path_factory):
    job = f"{job_id(command(*LONG, *JOBS, 'launcher.wait=false'))}_0"
    wait_until(lambda: has_steps(tmp_path))
    node = cluster.facts(job)["NodeList"]
    urgent = ("--partition=high", f"--nodelist={node}", "--cpus-per-task=2")
    cluster.run("srun", *urgent, "sleep", "1")
    assert "preempted; the state is saved, the job is requeued" in str(logs(tmp_path))
    requeue_now(cluster, job)
    command(*LONG, *JOBS)  # waits for the same job
    assert cluster.facts(job)["Restarts"] == "1"
    assert cluster.facts(job)["JobState"] == "COMPLETED"
    assert same_as_here(tmp_path, tmp_path_factory, LONG)


def test_the_last_of_an_array_is_requeued_alone(command, cluster, tmp_path):
    words = (*LONG[:2], "data.exposures=4000", *LONG[3:], *JOBS, "launcher.cpus_per_task=2")
    array = job_id(command(*words, "seeds=2", "launcher.wait=false"))
    wait_until(lambda: len(list(tmp_path.glob("runs/*/last.ckpt"))) == 2)
    node = cluster.facts(f"{array}_1")["NodeList"]
    urgent = ("--partition=high", f"--nodelist={node}", "--cpus-per-task=2")
    cluster.run("srun", *urgent, "sleep", "1")
    wait_until(lambda: cluster.facts(f"{array}_1")["JobState"] == "PENDING")
    assert cluster.facts(f"{array}_1")["Restarts"] == "1"
    assert cluster.facts(f"{array}_0")["Restarts"] == "0"
    (log,) = tmp_path.glob("runs/sweeps/*/slurm/array-0/0.log")
    assert "preempted" not in log.read_text()
    cluster.run("scancel", array)


def test_a_repetition_that_fails_is_not_shown_as_the_run_before(command, tmp_path):
    command(*TINY_PEOPLE, *JOBS)
    before = next(tmp_path.glob("runs/*/record.json")).read_text()
    failing = ("force=true", "launcher.setup=['exit 3']")
    done = command(*TINY_PEOPLE, *JOBS, *failing, status=1)
    assert "ended as FAILED" in done.stderr
    assert not done.stdout
    command(*TINY_PEOPLE, *JOBS, "force=true")
    assert next(tmp_path.glob("runs/*/record.json")).read_text() != before


def test_who_stops_waiting_is_told_that_the_jobs_go_on(cluster, command, tmp_path):
    for number in (1, 2):
        busy = ("-c2", "--output=/dev/null", "--wrap=sleep 20")
        cluster.run("sbatch", f"--nodelist=n{number}", *busy)
    waiting = subprocess.Popen(
        [sys.executable, "-m", "physlm.run", *TINY_PEOPLE, *JOBS],
        cwd=tmp_path,
        env=cluster.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: len(cluster.states()) == 3)
    time.sleep(3)
    waiting.send_signal(signal.SIGINT)
    told = waiting.communicate(timeout=60)[1].splitlines()
    assert waiting.returncode == 130
    assert told[-1].startswith("interrupted: the jobs go on; the same command waits for them again")
    command(*TINY_PEOPLE, *JOBS, "launcher.wait=false")
    assert len(cluster.states()) == 3  # the same job, not another one
    cluster.run("scancel", "--user=root")


def test_settings_for_other_work_change_nothing(command, cluster, tmp_path):
    folder = tmp_path / "50%a b"
    (folder / "own" / "experiment").mkdir(parents=True)
    text = "# @package _global_\ndefaults: [/experiment/capacity_100x@_here_, _self_]\n"
    (folder / "own" / "experiment" / "mine.yaml").write_text(text)
    others = {"SBATCH_PARTITION": "no", "SQUEUE_STATES": "COMPLETING", "SLURM_MEM_PER_CPU": "9"}
    words = ("--config-dir", "own", "+experiment=mine", *TINY_PEOPLE[1:], *JOBS)
    done = command(*words, cwd=folder, SBATCH_EXPORT="NONE", **others)
    assert "capacity/bits_per_parameter" in done.stdout
    assert cluster.facts(f"{job_id(done)}_0")["Partition"] == "low"


def test_two_commands_at_once_submit_a_run_once(command, cluster, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(command, *TINY_PEOPLE, *JOBS) for _ in range(2)]
        told = [one.result().stderr for one in both]
    assert sum("; logs: " in text for text in told) == 1
    assert len(records(tmp_path)) == 1


def test_a_run_that_is_out_of_time_is_requeued_but_not_for_good(command, cluster, tmp_path):
    limits = ("launcher.timeout_min=1", "launcher.max_num_timeout=1", "launcher.warning_seconds=20")
    words = (*LONG[:2], "data.exposures=100_000", *LONG[3:], *JOBS[:3], *limits)
    job = f"{job_id(command(*words, 'launcher.wait=false'))}_0"
    wait_until(lambda: "out of time; the state is saved" in str(logs(tmp_path)))
    requeue_now(cluster, job)
    done = command(*words, status=130)
    assert "out of time more than launcher.max_num_timeout=1 times" in done.stderr
    assert cluster.facts(job)["JobState"] == "FAILED"


def test_a_cancelled_job_is_told_and_not_requeued(command, cluster, tmp_path):
    job = f"{job_id(command(*LONG, *JOBS, 'launcher.wait=false'))}_0"
    wait_until(lambda: has_steps(tmp_path))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(command, *LONG, *JOBS, status=1)
        time.sleep(5)  # it finds the job in the queue
        cluster.run("scancel", job)
        done = waiting.result()
    assert f"job {job} ended as CANCELLED" in done.stderr
    assert "requeued" not in str(logs(tmp_path))
    command(*LONG, *JOBS)  # another job, which resumes
    assert [record.status for record in records(tmp_path)] == ["finished"]


def test_processes_on_two_nodes_train_one_run(command, tmp_path):
    setup = "launcher.setup=['export MASTER_ADDR=127.0.0.1']"  # the nodes' names are no hosts
    done = command(*TINY_PEOPLE, "runtime.n_nodes=2", "runtime.device=cpu", *JOBS, setup)
    assert "capacity/bits_per_parameter" in done.stdout
    (record,) = records(tmp_path)
    assert record.status == "finished"
    (script,) = tmp_path.glob("runs/sweeps/*/slurm/array-0/job.sh")
    assert "--nodes=2" in script.read_text()


def test_runs_share_a_job(command, tmp_path):
    command(*TINY_PEOPLE, "seeds=3", *JOBS, "launcher.runs_per_job=2")
    assert len(records(tmp_path)) == 3
    (work,) = tmp_path.glob("runs/sweeps/*/slurm/array-0/work.json")
    assert [len(runs) for runs in json.loads(work.read_text())["jobs"]] == [2, 1]


def test_jobs_run_the_code_as_it_was_when_they_were_submitted(command, cluster, tmp_path):
    for number in (1, 2):  # keep both nodes busy, so that the job waits
        cluster.run(
            "sbatch", f"--nodelist=n{number}", "-c2", "--output=/dev/null", "--wrap=sleep 5"
        )
    command(*TINY_PEOPLE, *JOBS, "launcher.wait=false")
    (code,) = tmp_path.glob("runs/sweeps/*/slurm/code")
    (code / "physlm/run.py").write_text("raise SystemExit(7)")
    done = command(*TINY_PEOPLE, *JOBS, status=1)
    assert "Exited with exit code 7" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("launcher.timeout_min=100",), "the partition low lets jobs run for 60 minutes"),
        (("launcher.partition=no",), "launcher.partition=no is not found; sinfo lists"),
        (("launcher.cpus_per_task=100",), "Requested node configuration is not available"),
        (("runtime.device=cuda",), "Slurm refuses the job"),
    ],
)
def test_what_slurm_cannot_do_is_refused_before(words, message, command, tmp_path):
    done = command(*TINY_PEOPLE, *JOBS, *words, status=2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not records(tmp_path)
