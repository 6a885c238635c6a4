"""The command line as a user meets it: a process, its output and its exit status."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest

from physlm.record import read_record
from physlm.run_directory import read_curves
from physlm.train.fit import saved_steps
from tests.command_line import called, record_path, run

SMALL = (
    "+experiment=capacity_100x",
    "data.n_people=60",
    "data.exposures=40",
    "model.d_model=16",
    "optim.warmup_steps=50",
    "runtime.steps_per_chunk=8",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    done = called(*SMALL, "logger=csv", cwd=folder, check=0)
    return folder, done


def test_a_run_ends_with_its_table_and_the_path_of_its_record(finished):
    folder, done = finished
    record = read_record(record_path(done, folder))
    assert record.status == "finished"
    assert record.exposures == 40
    assert record.tokens == 60 * 22 * 40
    for shown in (
        "capacity/bits_per_parameter{split=train}",
        "paper",
        "exposures counted",
        "tokens/s",
        "capacity/maximum_bits_per_parameter",
    ):
        assert shown in done.stdout
    assert "error" not in done.stderr
    files = {path.name for path in (folder / "runs" / record.run_id).iterdir()}
    assert {
        "record.json",
        "config.yaml",
        "metrics.jsonl",
        "model.safetensors",
        "figure.png",
    } <= files
    assert "last.ckpt" not in files


def test_a_finished_run_is_skipped_and_force_runs_it_again(finished):
    folder, done = finished
    path = record_path(done, folder)
    before = path.stat().st_mtime_ns
    again = called(*SMALL, cwd=folder, check=0)
    assert "finished before" in again.stdout
    assert record_path(again, folder) == path
    assert path.stat().st_mtime_ns == before
    forced = called(*SMALL, "force=true", cwd=folder, check=0)
    assert "finished before" not in forced.stdout
    assert path.stat().st_mtime_ns > before


def test_final_metrics_stand_once_in_the_curves_however_often_they_are_measured(finished, tmp_path):
    folder, done = finished
    copy = shutil.copytree(folder, tmp_path / "copy")
    called(*SMALL, "rescore=true", cwd=copy, check=0)
    rows = read_curves(record_path(done, copy).with_name("metrics.jsonl"))
    assert rows == read_curves(record_path(done, folder).with_name("metrics.jsonl"))


def test_a_finished_run_that_may_only_be_read_is_shown(finished, tmp_path, monkeypatch):
    """Its figure, which is missing, cannot be drawn."""
    folder, done = finished
    copy = shutil.copytree(folder, tmp_path / "copy")
    figure = record_path(done, copy).with_name("figure.png")
    figure.unlink()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "finished before" in called(*SMALL, cwd=copy, check=0).stdout
    assert not figure.exists()


def test_a_forced_run_that_cannot_start_deletes_nothing(finished, command, tmp_path):
    folder, done = finished
    kept = tmp_path / "runs" / read_record(record_path(done, folder)).run_id
    shutil.copytree(record_path(done, folder).parent, kept)
    status, _ = command(*SMALL, "force=true", "runtime.device=cuda", "runtime.n_devices=2")
    assert status == 2
    assert (kept / "record.json").exists()
    assert (kept / "model.safetensors").exists()


def test_csv_keeps_curves_and_scores_apart(finished):
    folder, _ = finished
    (path,) = (folder / "runs").glob("*/metrics.csv")
    curves = pl.read_csv(path)
    assert "train/loss_nats" in curves.columns
    scores = pl.read_csv(path.with_name("scores.csv"))
    assert scores["capacity/bits_per_parameter{split=train}"].len() == 1


@pytest.mark.slow
@pytest.mark.parametrize("n_kills", [1, 3])
def test_a_killed_run_ends_bit_for_bit_like_an_uninterrupted_one(finished, tmp_path, n_kills):
    folder, done = finished
    expected = read_record(record_path(done, folder))
    path = tmp_path / "runs" / expected.run_id
    moments = random.Random(0)
    for _ in range(n_kills):
        process = subprocess.Popen(
            [sys.executable, "-m", "physlm.run", *SMALL, "runtime.checkpoint_seconds=0"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        mark = (path / "last.ckpt").stat().st_mtime_ns if (path / "last.ckpt").exists() else 0
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and process.poll() is None:
            checkpoint = path / "last.ckpt"
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > mark:
                break
            time.sleep(0.005)
        time.sleep(moments.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert 0 < saved_steps(path / "last.ckpt") < expected.steps
    resumed = read_record(record_path(called(*SMALL, cwd=tmp_path, check=0), tmp_path))
    assert [m.value for m in resumed.metrics] == [m.value for m in expected.metrics]
    assert (resumed.steps, resumed.tokens, resumed.exposures) == (
        expected.steps,
        expected.tokens,
        expected.exposures,
    )
    weights = [f / "runs" / expected.run_id / "model.safetensors" for f in (folder, tmp_path)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.fixture
def command(tmp_path):
    """The command line in a folder of the test's own."""

    def in_folder(*words):
        done = called(*words, cwd=tmp_path)
        return done.returncode, done

    return in_folder


LANGUAGE = (
    "data.n_strings=400",
    "data.grammar=english",
    "data.root=null",
    "data.seq_len=32",
    "model.n_layers=1",
    "model.d_model=16",
    "model.n_heads=2",
    "optim.warmup_steps=5",
)


def test_a_language_is_learned_measured_on_the_way_and_looked_into(command, tmp_path):
    status, output = command(
        "+experiment=cfg_inside",
        *LANGUAGE,
        "runtime.n_evaluations=3",
        "logger=csv",
        "eval.cfg_accuracy.n_samples=10",
        "eval.cfg_accuracy.n_curve_samples=5",
        "eval.cfg_accuracy.prefixes=[0,3]",
        "eval.cfg_distribution.n_strings=10",
        "eval.cfg_probing.n_train=10",
        "eval.cfg_probing.n_test=5",
        "eval.cfg_probing.n_steps=2",
        "eval.cfg_attention.n_strings=5",
    )
    assert status == 0, output.stderr
    record = read_record(record_path(output, tmp_path))
    kl = "cfg/kl_nats{split=test}"
    texts = {metric.text for metric in record.metrics}
    assert {
        "cfg/accuracy{prefix=3,split=test}",
        kl,
        "attention/boundary_peak{split=test}",
        "probe/accuracy{level=2,positions=all,reach=full,split=test,target=ancestor}",
    } <= texts
    folder = tmp_path / "runs" / record.run_id
    rows = [row for row in read_curves(folder / "metrics.jsonl") if "curve/tokens" in row]
    assert [row["curve/tokens"] for row in rows][-1] == record.tokens
    assert len(rows) == 3
    table = pl.read_csv(folder / "curve.csv")
    assert table[f"curve/{kl}"].to_list() == [row[f"curve/{kl}"] for row in rows]
    assert {"curve/cfg/accuracy{prefix=0,split=test}", f"curve/{kl}"} <= rows[0].keys()
    with np.load(folder / "arrays.npz", allow_pickle=False) as file:
        assert file["cfg_attention/by_distance"].ndim == 3
    for name in ("attention.png", "attention_over_derivation.png", "learning_curve.png"):
        assert (folder / name).stat().st_size > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data.typo=3",), "data.typo"),
        (("+data.typo=3",), "typo"),
        (("data.n_people=abc",), "data.n_people"),
        (("data.n_people=40000",), "n_people=40000 exceeds the 32768 distinct names"),
        (("model.n_heads=3",), "d_model=32 is not divisible by n_heads=3"),
        (("runtime.device=cuda", "runtime.n_devices=99", "trainer.batch_size=99"), "GPUs"),
        (("runtime.replicas=true",), "this is a single run, set seeds=5"),
        (("runs_dir=/proc/nowhere",), "/proc/nowhere"),
        (("data.seq_len=8",), "documents have up to 22 tokens"),
        (("trainer.precision=fp16",), "precision=fp16 needs a GPU"),
        (("model.init_std=-1",), "init_std=-1"),
        (("data.chunk_length=300",), "chunk_length=300"),
        (("scale=huge",), "scale=huge"),
        (("data=nope",), "data=nope is not an option"),
    ],
)
def test_bad_input_is_one_line_and_status_2(command, words, message):
    status, printed = command("+experiment=capacity_100x", *words)
    assert status == 2
    assert message in printed.stderr
    assert printed.stderr.startswith("error: ")
    assert printed.stderr.count("\n") == 1
    assert printed.stdout == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data=cfg",), "eval=capacity measures worlds of people; use data=bios, bior or biod"),
        (("data=cfg", "eval=cfg", "model=bert"), "this model does not generate"),
        (("data=cfg", "eval=cfg", "data.grammar=cfg3z"), "grammar=cfg3z: no such grammar or file"),
        (
            ("data=cfg", "eval=cfg", "data.seq_len=64", "model.position=learned"),
            "data.seq_len=64: only 0% of the strings",
        ),
        (
            ("data=cfg", "eval=cfg", "data.corrupted_fraction=2"),
            "corrupted_fraction=2.0; must be from 0",
        ),
    ],
)
def test_what_a_language_cannot_be_measured_with_is_one_line(command, words, message):
    status, output = command(*words)
    assert status == 2
    assert message in output.stderr
    assert len(output.stderr.splitlines()) == 1


def test_an_experiment_without_its_plus_is_explained(command):
    status, printed = command("experiment=capacity_100x")
    assert (status, printed.stderr) == (
        2,
        "error: experiment needs a plus: write +experiment=capacity_100x\n",
    )


def test_a_key_of_the_run_to_start_from_is_set_in_init_from(command):
    status, printed = command("+experiment=spectra_brackets", "model.n_layers=2")
    remedy = "'init_from=\"+experiment=NAME model.n_layers=...\"'"
    assert (status, printed.stderr) == (
        2,
        "error: unknown key model.n_layers: model comes from the parent run; set it in init_from, "
        f"as in {remedy}\n",
    )


def test_a_process_ends_with_that_line_and_status(tmp_path):
    done = run("+experiment=capacity_100x", "data.typo=3", cwd=tmp_path, check=2)
    assert done.stderr == "error: unknown key data.typo; --help lists the keys\n"


def test_a_traceback_is_shown_where_it_is_asked_for(command, monkeypatch):
    monkeypatch.setenv("PHYSLM_TRACEBACK", "1")
    _, done = command("data.typo=3")
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("name", ["record.json", "last.ckpt"])
def test_a_damaged_file_of_an_earlier_attempt_is_named_and_left(finished, command, tmp_path, name):
    folder, done = finished
    run_id = read_record(record_path(done, folder)).run_id
    damaged = tmp_path / "runs" / run_id / name
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{truncated")
    status, printed = command(*SMALL)
    assert status == 2
    assert name in printed.stderr
    assert printed.stderr.count("\n") == 1
    assert damaged.read_text() == "{truncated"


def test_a_diverged_run_is_recorded_with_its_step(command, tmp_path):
    status, printed = command(*SMALL, "optim.learning_rate=1e30", "trainer.gradient_clip=null")
    (path,) = (tmp_path / "runs").glob("*/record.json")
    record = read_record(path)
    assert (status, record.status) == (1, "diverged")
    assert printed.stderr.startswith(
        f"diverged: the loss is not finite at step {record.stopped_at_step}"
    )


def test_a_failed_point_does_not_stop_a_sweep_and_finished_points_are_not_repeated(tmp_path):
    brief = ("data.exposures=2", "optim.warmup_steps=2")
    words = (*SMALL, *brief, "model.n_heads=3,4", "--multirun")
    done = called(*words, cwd=tmp_path, check=2)
    assert "model.n_heads=3" in done.stderr
    assert "d_model=16 is not divisible by n_heads=3" in done.stderr
    records = list((tmp_path / "runs").glob("*/record.json"))
    assert len(records) == 1
    again = called(*words, cwd=tmp_path, check=2)
    assert again.stdout.count("finished before") == 1


@pytest.mark.slow
def test_points_of_a_sweep_are_run_in_processes(tmp_path):
    words = (*SMALL, "model.n_heads=2,3,4", "launcher=processes", "--multirun")
    done = run(*words, cwd=tmp_path, check=2)
    assert "d_model=16 is not divisible by n_heads=3" in done.stderr
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == 2
    again = run(*words, cwd=tmp_path, check=2)
    assert again.stdout.count("finished before") == 2
