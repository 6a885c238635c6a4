"""What watches a run never stops it: prints, curves, tables, figures, trackers, caches."""

import io
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
import wandb

from physlm.config import composed, register
from physlm.errors import InputError
from physlm.record import read_record
from physlm.run import main
from physlm.run_directory import RunDirectory, read_curves
from physlm.train.logger import LoggerConfig, Tracker
from physlm.train.tracking import Tracking
from physlm.watching import harmless, outlive_readers, tell
from tests.command_line import TINY_PEOPLE

KEY = f"{7:040d}"


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """The command line in this process; its status, output and record, if there is one."""

    def called(*words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["physlm.run", *TINY_PEOPLE, *words])
        # A command's streams are its own, and main() wraps them.
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, getattr(sys, f"__{name}__"))
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capfd.readouterr()

    return called


def only_record(folder):
    (path,) = folder.glob("runs/*/record.json")
    return read_record(path)


@pytest.fixture
def unreachable(monkeypatch):
    """A key as those of W&B are, and a server that knows nothing of W&B."""
    for name in ("WANDB_MODE", "WANDB_INIT_TIMEOUT"):
        monkeypatch.setenv(name, "")  # so that what the code sets is gone afterwards
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "1")
    wandb.teardown()  # or it would keep the settings of an earlier test
    yield
    wandb.teardown()
    server.shutdown()
    server.server_close()


def build(directory, kind, run_id="abc"):
    directory.path.mkdir(parents=True, exist_ok=True)
    tracking = Tracking(
        config=LoggerConfig(kind=kind),
        directory=directory,
        run_id=run_id,
        described={"experiment": "run", "scale": "laptop", "data": {"a": 1}},
    )
    tracking.start(0)
    return tracking


def log(tracking, metrics, step):
    for logger in tracking.loggers:
        logger.log_metrics(metrics, step=step)


@pytest.mark.slow
def test_a_run_is_trained_and_kept_offline_where_wandb_is_not_reached(
    unreachable, tmp_path, capfd, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    directories = [RunDirectory(tmp_path / name) for name in ("one", "two")]
    trackings = [build(d, Tracker.wandb, d.path.name) for d in directories]  # as of replicas
    for tracking in trackings:
        log(tracking, {"train/loss_nats": 1.0}, 3)
        tracking.close("diverged")
    told = [line for line in capfd.readouterr().err.splitlines() if "not reached" in line]
    assert len(told) == 1
    assert "wandb sync" in told[0]
    assert told[0].endswith(next(tmp_path.glob("wandb/offline-run-*-one")).name)
    assert os.environ["WANDB_MODE"] == "offline"  # the next run of this process need not wait
    assert len(list(tmp_path.glob("wandb/offline-run-*/*.wandb"))) == 2
    for directory in directories:
        assert [row["step"] for row in read_curves(directory.metrics)] == [3]


@pytest.mark.parametrize("key", ["x" * 39, "with blanks " * 5])
def test_a_key_that_cannot_be_one_is_refused_before_any_compute(
    key, unreachable, monkeypatch, command, tmp_path
):
    monkeypatch.setenv("WANDB_API_KEY", key)
    status, printed = command("logger=wandb")
    assert status == 2
    assert printed.err.startswith("error: W&B: ")
    assert "correct WANDB_API_KEY or run wandb login" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not list(tmp_path.glob("runs/*/metrics.jsonl"))


def test_a_key_is_that_of_the_server_which_is_asked(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(
        f"machine api.wandb.ai login user password short\n"
        f"machine wandb.here login user password local-{KEY}\n"
    )
    netrc.chmod(0o600)
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.here")
    wandb.teardown()
    LoggerConfig(kind=Tracker.wandb).require()
    monkeypatch.setenv("WANDB_BASE_URL", "https://api.wandb.ai")
    wandb.teardown()
    with pytest.raises(InputError, match="has 5"):
        LoggerConfig(kind=Tracker.wandb).require()
    wandb.teardown()


def test_a_run_ends_well_although_what_shows_it_cannot_be_written(command, tmp_path):
    register()
    names = ("metrics.jsonl", "metrics.csv", "scores.csv", "figure.png")
    for name in names:  # folders: nobody can write them, whoever runs the tests
        (tmp_path / "runs" / composed(TINY_PEOPLE).run_id / name).mkdir(parents=True)
    status, printed = command("logger=csv")
    assert status == 0, printed.err
    assert only_record(tmp_path).status == "finished"
    told = printed.err.splitlines()
    assert len(told) == 4  # each once
    for name in ("metrics.jsonl: ", "metrics.csv: ", "removing old figures", "learning_curve.png"):
        assert sum(name in line for line in told) == 1, name


def test_a_file_that_cannot_be_written_any_more_is_told_once(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    directory = RunDirectory(tmp_path)
    tracking = build(directory, Tracker.csv)
    for step in (1, 2, 3):
        if step == 2:
            directory.metrics.unlink()
            directory.metrics.mkdir()
        log(tracking, {"train/loss_nats": 1.0}, step)
    told = capfd.readouterr().err
    assert told.count("metrics.jsonl: ") == 1
    assert len(told.splitlines()) == 1
    assert pl.read_csv(directory.metrics.with_suffix(".csv"))["step"].to_list() == [1, 2, 3]


def test_a_run_that_measures_nothing_ends_well_with_a_table(command, tmp_path):
    status, printed = command("~eval.capacity", "logger=csv")
    assert status == 0, printed.err
    assert only_record(tmp_path).metrics == ()
    (path,) = tmp_path.glob("runs/*/metrics.jsonl")
    assert all("train/loss_nats" in row for row in read_curves(path))
    assert not path.with_name("scores.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("eval=null",), "write ~GROUP, such as ~eval, to remove it"),
        (("--multirun", "--tpyo"), "unknown flag --tpyo; --help lists the options"),
        (("--config-name",), "argument --config-name/-cn: expected one argument"),
        (("--experimental-rerun", "x"), "--experimental-rerun x: no job files are kept"),
        (("launcher=slurm", "--multirun"), "launcher=processes needs no cluster"),
    ],
)
def test_what_hydra_or_slurm_cannot_take_is_one_line(words, message, command):
    status, printed = command(*words)
    assert status == 2
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("error: ")


def test_nothing_fails_in_a_process_whose_output_nobody_reads(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdout", os.fdopen(writing, "w"))
    monkeypatch.setattr(sys, "stderr", None)
    outlive_readers()
    for _ in range(2):
        print("a line that no one reads", flush=True)
        tell("another")
    sys.stdout.write("the last of it")
    for stream in (sys.stdout, sys.stderr):
        stream.close()  # writes what is left, as the end of a process does
        assert stream.closed


def test_a_full_disk_below_standard_output_is_told_once(monkeypatch):
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        outlive_readers()
        for _ in range(2):
            print("a line", flush=True)
    assert told.getvalue().count("No space left on device") == 1


def test_what_is_harmless_is_told_and_what_stops_a_process_is_not_kept(capsys):
    with harmless("figures"):
        raise ValueError("two\nlines")
    assert capsys.readouterr().err == "note: figures failed, the run continues: two lines\n"
    with pytest.raises(KeyboardInterrupt), harmless("figures"):
        raise KeyboardInterrupt


@pytest.mark.slow
def test_a_run_whose_reader_is_gone_ends_with_its_record_and_no_word(tmp_path):
    command = f"{sys.executable} -m physlm.run {' '.join(TINY_PEOPLE)}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    only_record(tmp_path)
    done = subprocess.run(["bash", "-c", f"{command} seed=1 >&- 2>&-"], cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert len(list(tmp_path.glob("runs/*/record.json"))) == 2


def test_json_rows_are_whole_after_a_row_that_was_cut(tmp_path):
    directory = RunDirectory(tmp_path)
    build(directory, Tracker.local)
    row = json.dumps({"step": 0, "train/tokens": 1.0})
    directory.metrics.write_text(row + '\n{"step": 1, "train/tokens"')
    log(build(directory, Tracker.local), {"train/tokens": 2.0}, 1)
    assert [row["train/tokens"] for row in read_curves(directory.metrics)] == [1.0, 2.0]
