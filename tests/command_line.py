"""The command line as a user meets it: in a process of its own or, to spare imports, in ours."""

import io
import os
import signal
import subprocess
import sys
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from unittest.mock import patch

from physlm.record import read_record
from physlm.run import main

# A run of seconds: 24 people of bioD, read twice.
TINY_RUN = (
    "data=biod",
    "data.n_people=24",
    "data.exposures=2",
    "data.seq_len=12",
    "trainer.batch_size=8",
    "optim.warmup_steps=2",
    "model.d_model=8",
    "model.n_heads=1",
    "runtime.progress_bar=false",
)

# Another: 20 people of bioS, read four times.
TINY_PEOPLE = (
    "+experiment=capacity_100x",
    "data.n_people=20",
    "data.exposures=4",
    "model.d_model=16",
    "model.n_layers=1",
    "trainer.batch_size=2",
    "optim.warmup_steps=5",
    "runtime.compile=false",
)


def records(folder):
    """The records of the runs of a command that was called in a folder."""
    return [read_record(path) for path in folder.glob("runs/*/record.json")]


def run(*words, cwd, check=None, env=None):
    """A process that has ended; ``check`` is the status that it ought to have."""
    done = subprocess.run(
        [sys.executable, "-m", "physlm.run", *words],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


@contextmanager
def begun(*words, cwd):
    """A process that runs on, in a group of its own, of which nothing outlives the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "physlm.run", *words],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def called(*words, cwd, check=None):
    """The same of the command in this process."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    argv = ["physlm.run", *words]
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", argv):
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    done = subprocess.CompletedProcess(argv, status, out.getvalue(), err.getvalue())
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def record_path(done, folder):
    """Where the record is that a command names in its last line."""
    last = done.stdout.splitlines()[-1]
    assert last.startswith("record: ")
    return folder / last.removeprefix("record: ")
