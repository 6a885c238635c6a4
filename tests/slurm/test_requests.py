"""What is submitted to Slurm, without a Slurm: words, scripts, the copy of the code."""

import subprocess
import sys

import pytest

from physlm.config import composed
from physlm.launcher import LauncherConfig
from physlm.slurm.folder import JobFolder, Task
from physlm.slurm.launch import Job, requests_of
from physlm.slurm.queue import _minutes
from physlm.slurm.script import resources_of, script_text
from physlm.slurm.snapshot import keep_snapshot
from tests.command_line import TINY_PEOPLE, called

BASE = ("+experiment=capacity_100x", "data.n_people=20")


@pytest.mark.parametrize(
    ("words", "n_jobs"),
    [
        ((), 1),
        (("seeds=3",), 3),
        (("seeds=2", "learning_rates=[1e-3,3e-3]", "seed=5"), 4),
        (("seeds=3", "runtime.replicas=true"), 1),
    ],
)
def test_the_jobs_of_a_point_are_its_runs(words, n_jobs):
    words = (*BASE, *words, "launcher=slurm", "launcher.partition=gpu", "launcher.wait=false")
    config = composed(words)
    requests = requests_of(words, config)
    assert len(requests) == n_jobs
    described = [composed(tuple(request.task(()).arguments[1:])) for request in requests]
    ids = [run.run_id for one in described for run in one.points]
    assert ids == [run.run_id for run in config.points]
    assert all(one.launcher is None for one in described)  # a job submits no jobs
    assert [len(one.points) for one in described] == [len(request.runs) for request in requests]


def test_a_script_asks_for_what_its_runs_need(tmp_path):
    folder = JobFolder(tmp_path / "a folder")
    run = composed((*BASE, "runtime.n_devices=4", "runtime.n_nodes=2", "runtime.device=cuda"))
    settings = LauncherConfig(
        partition="gpu",
        array_parallelism=7,
        setup=["module load cuda"],
        sbatch_options=["--mail-type=END"],
        timeout_min=30,
    )
    text = script_text(folder, settings, resources_of(run), "physlm", 20, tmp_path / "code")
    asked = {line.removeprefix("#SBATCH ") for line in text.splitlines() if "#SBATCH" in line}
    assert asked > {
        "--nodes=2",
        "--ntasks-per-node=4",
        "--gpus-per-node=4",
        "--array=0-19%7",
        "--partition=gpu",
        "--time=30",
        "--signal=TERM@120",
        "--mail-type=END",
        "--requeue",
    }
    assert "\nmodule load cuda\n" in text
    assert f"PYTHONPATH={tmp_path}/code:" in text
    checked = subprocess.run(
        ["bash", "-n"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "n_gpus"),
    [
        ((), 0),
        (("scale=gpu",), 1),
        (("scale=gpu", "runtime.device=cpu"), 0),
        (("runtime.device=cuda", "runtime.n_devices=2"), 2),
    ],
)
def test_gpus_follow_device_and_scale(words, n_gpus):
    assert resources_of(composed(("+experiment=capacity_100x", *words))).n_gpus == n_gpus


def test_a_copy_of_the_code_runs_and_knows_its_revision(tmp_path):
    assert keep_snapshot(tmp_path / "code") == tmp_path / "code"
    code = "import physlm.revision as r; print(r.__file__, r.git_revision()['git_revision'])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": str(tmp_path / "code")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    path, revision = done.stdout.split()
    assert path.startswith(str(tmp_path / "code"))
    assert len(revision) == 40


def test_a_job_repeats_a_run_only_until_it_has_saved_something(tmp_path):
    task = Task(["--run", "force=true", "seed=3"], [str(tmp_path)])
    checkpoint = tmp_path / "last.ckpt"
    assert task.resumed(0.0) == task.arguments
    checkpoint.touch()
    now = checkpoint.stat().st_mtime
    assert task.resumed(now + 1) == task.arguments  # of an earlier command
    assert task.resumed(now - 1) == ["--run", "seed=3"]


def test_a_failed_job_is_explained_by_its_last_own_line(tmp_path):
    folder = JobFolder(tmp_path)
    folder.log(3).write_text("error: no\nsrun: error: n1: task 0: Exited with exit code 2\n")
    folder.write_status(3, 2)
    assert Job("12_3", folder).reason() == f"error: no (log: {tmp_path / '3.log'})"
    assert folder.status(4) is None


@pytest.mark.parametrize(
    ("limit", "minutes"), [("1:00:00", 60), ("1-02:30:00", 26 * 60 + 30), ("UNLIMITED", None)]
)
def test_time_limits_are_read(limit, minutes):
    assert _minutes(limit) == minutes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("launcher.partition=x",), "launcher.partition=x: only Slurm jobs have this key"),
        (("launcher=slurm", "launcher.mem_gb=0"), "launcher.mem_gb=0; must be at least 1"),
        (("launcher=slurm", "launcher.sbatch_options=[x]"), "launcher.sbatch_options has 'x'"),
        (("launcher=slurm", "launcher.sbatch_options=['--time=3']"), "--time, which physlm sets"),
        (("launcher=slurm", "launcher.timeout_min=2"), "launcher.warning_seconds=120; must be"),
        (("launcher=slurm", "hydra.launcher.partition=x"), "did you mean launcher.partition?"),
    ],
)
def test_bad_settings_of_jobs_are_one_line(words, message, tmp_path):
    done = called(*BASE, *words, cwd=tmp_path, check=2)
    (line,) = done.stderr.splitlines()
    assert message in line


def test_finished_runs_are_shown_where_there_is_no_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "none"))
    called(*TINY_PEOPLE, cwd=tmp_path, check=0)
    done = called(*TINY_PEOPLE, "launcher=slurm", cwd=tmp_path, check=0)
    assert done.stderr == "1 of 1 run finished before; force=true repeats them\n"
    assert done.stdout.splitlines()[-1].startswith("record: runs/")
