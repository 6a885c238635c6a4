"""Scorecards of a run, a checkpoint and an endpoint, on the command line."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest

from physlm.config import composed, register
from physlm.data.public.questions import TASKS
from physlm.pipeline import execute
from physlm.run_directory import RunDirectory
from physlm.scorecard import DATA, PAGE, main
from tests.chat_server import Endpoint, serving
from tests.eval.public.test_public_figures import last_question, truths
from tests.models.checkpoints import checkpoint
from tests.report.page.embedded import content

register()


@pytest.fixture
def address():
    with serving() as found:
        known = truths()
        Endpoint.says = staticmethod(lambda prompt: known.get(last_question(prompt), "Who?"))
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("llama")
    checkpoint(path, "llama")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of a small world of people, measured by nothing yet."""
    words = ("data=biod", "data.n_people=20", "data.exposures=2", "data.seq_len=22", "~eval")
    small = ("model.n_layers=2", "model.d_model=16", "model.n_heads=2", "optim.warmup_steps=1")
    runs_dir = f"runs_dir={tmp_path_factory.mktemp('runs')}"
    config = composed((*words, *small, "trainer.batch_size=2", runs_dir))
    execute(config, RunDirectory(config.run_dir))
    return config.run_dir


def score(tmp_path, *words):
    """The exit status, and the models of the JSON file by name."""
    output = tmp_path / "card"
    status = main(
        [
            *map(str, words),
            *("--people", "5", "--runs-dir", str(tmp_path / "runs")),
            *("--output", str(output)),
        ]
    )
    path = output / DATA
    found = json.loads(path.read_text()) if path.exists() else {"models": []}
    return status, {model["name"]: model for model in found["models"]}


def values(model):
    return {entry["label"]: entry["value"] for entry in model["entries"]}


def test_three_kinds_of_models_are_compared_on_one_page(address, folder, run, tmp_path):
    status, models = score(
        tmp_path, run, folder, "--endpoint", address, "--model", "m", "--tests", "capacity,figures"
    )
    assert status == 0
    ours, theirs, asked = models.values()
    assert [ours["kind"], theirs["kind"], asked["kind"]] == ["run", "checkpoint", "endpoint"]
    assert "bits of knowledge per parameter" in values(ours)
    assert "use that world" in ours["unmeasured"]["figures"]
    assert values(theirs)["public figures: birth date"] == 0
    assert values(asked)["public figures: birth date"] == 1
    assert values(asked)["public figures: birth date, in the worst of 4 wordings"] == 0
    assert asked["parameters"] is None
    assert theirs["parameters"] > ours["parameters"] > 0
    text = json.dumps(content(tmp_path / "card" / PAGE))
    assert all(json.dumps(name)[1:-1] in text for name in models)


def test_nothing_is_measured_or_asked_twice(address, tmp_path):
    words = ("--endpoint", address, "--model", "m", "--tests", "figures")
    _, first = score(tmp_path, *words)
    n_asked = len(Endpoint.requests)
    assert n_asked > 5 * len(TASKS)
    assert score(tmp_path, *words) == (0, first)
    assert len(Endpoint.requests) == n_asked


@pytest.mark.slow
def test_an_endpoint_that_is_down_costs_a_line_and_nothing_of_the_others(folder, tmp_path, capsys):
    down = ("--endpoint", "http://127.0.0.1:9/v1", "--model", "m")
    began = time.monotonic()
    status, models = score(tmp_path, folder, *down, "--tests", "figures")
    assert status == 2
    assert time.monotonic() - began < 60
    assert list(models) == [str(folder)]
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert re.search(
        r"figures failed: endpoint .* does not answer .* check that it is up", errors[0]
    )


@pytest.mark.slow
def test_a_killed_scorecard_goes_on_where_it_stopped(address, tmp_path):
    """After some answers the process is killed; the next one asks for the others only."""
    known = truths()
    Endpoint.says = staticmethod(
        lambda prompt: time.sleep(0.01) or known.get(last_question(prompt), "Who?")
    )
    options = ["--endpoint", address, "--model", "m", "--tests", "figures", "--people", "20"]
    places = ["--runs-dir", str(tmp_path / "runs"), "--output", str(tmp_path / "card")]
    command = [sys.executable, "-m", "physlm.scorecard", *options, *places]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while len(Endpoint.requests) < 40 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (answers,) = (tmp_path / "runs").glob("*/answers.jsonl")
    kept = {json.loads(line)["prompt"] for line in answers.read_text().splitlines()[:-1]}
    assert len(kept) >= 30
    Endpoint.requests.clear()
    assert main([*options, *places]) == 0
    asked = {body["messages"][0]["content"] for _, body, _ in Endpoint.requests}
    assert asked
    assert not asked & kept


def test_a_server_of_limits_and_garbage_loses_no_answer(address, tmp_path):
    Endpoint.behaviour[:] = [(429, "slow down", ("Retry-After", "0")), (200, "<html>")] * 3
    status, models = score(tmp_path, "--endpoint", address, "--model", "m", "--tests", "figures")
    assert status == 0
    assert values(models[f"m at {address}"])["public figures: birthplace"] == 1


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "no model; name a run directory"),
        (("nowhere",), "nowhere does not exist"),
        (("--endpoint", "http://a/v1"), "1 --endpoint and 0 --model"),
        (("--endpoint", "ftp://a", "--model", "m"), "--endpoint ftp://a; must begin with http"),
        (("--endpoint", "http://a/v1", "--model", ""), "needs --model"),
        (("--tests", "depths", "x"), "'depths' is none of capacity, recall"),
        (("--shots", "many"), "--help lists the options"),
        (("--output", "card.html", "x"), "name a folder"),
        (("--texts", "nowhere.txt", "x"), "--texts nowhere.txt is not a file"),
    ],
)
def test_bad_input_is_refused_in_one_line(words, fault, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(list(words)) == 2
    told = capsys.readouterr().err
    assert fault in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_models_that_cannot_be_read_are_refused_by_name(tmp_path, folder, run, capsys):
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.yaml").write_text("seed: 0\n")
    assert main([str(unfinished)]) == 2
    assert "is an unfinished run" in capsys.readouterr().err
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in folder.iterdir():
        if not file.name.startswith("tokenizer"):
            (bare / file.name).write_bytes(file.read_bytes())
    status, models = score(tmp_path, bare, run, "--tests", "capacity")
    assert status == 2
    assert "has no tokenizer.json; save the model's tokenizer there" in capsys.readouterr().err
    assert list(models) == [str(run)]
