"""Schemas are found by name, those of a user's own script as well as ours."""

import importlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from physlm import registry
from physlm.config import composed, recorded
from physlm.data.corpus import DataConfig
from physlm.data.people.bios import BiosConfig
from physlm.errors import InputError
from physlm.record import read_record
from physlm.registry import FOLDERS, names, register, schema_of, schemas
from tests.command_line import called, record_path
from tests.conftest import printed

CONF = Path(__file__).parent.parent / "conf"


def test_every_schema_that_a_file_names_is_registered_and_every_other_way_round():
    text = "\n".join(path.read_text() for path in CONF.rglob("*.yaml"))
    for group in FOLDERS:
        ours = (item for item in schemas(group).items() if item[1].__module__.startswith("physlm."))
        for name, schema in ours:
            assert schema is schema_of(group, name)
            assert f"/schema/{group}/{name}@" in text, f"no file of conf/{group} uses {name}"
    assert schema_of("data", "bios") is BiosConfig


def test_one_schema_is_asked_for_without_importing_the_others():
    code = (
        "import sys; from physlm.registry import schema_of; schema_of('data', 'public_figures');"
        "print(*(name for name in sys.modules if name.startswith('physlm.data.cfg')))"
    )
    assert printed(code).split() == []


def test_a_name_that_is_taken_is_refused_in_one_line():
    with pytest.raises(
        InputError, match=r"registers data/bios, which physlm\.data\.people\.bios registers already"
    ):
        register("data", "bios")(dataclass(type("Other", (DataConfig,), {"__module__": "mine"})))
    assert schema_of("data", "bios") is BiosConfig


def test_an_unknown_group_or_schema_is_refused_in_one_line():
    with pytest.raises(InputError, match="unknown group; one of data, model, mixer, penalty, eval"):
        register("optim", "lion")
    with pytest.raises(
        InputError, match="no schema data/boys; one of bible, biod, bior, bios, brackets, brevo"
    ):
        schema_of("data", "boys")
    assert "boys" not in names("data")


PLUGIN = Path(__file__).parent / "plugin"


SMALL = ("data.n_people=20", "data.exposures=4", "optim.warmup_steps=2")


def run(script, folder, *words):
    """The status of a user's script with a folder of YAML files, and what it prints."""
    command = [sys.executable, script, f"runs_dir={folder}", *words, "--config-dir", "conf"]
    done = subprocess.run(command, cwd=PLUGIN, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_script_adds_a_world_a_scorer_and_an_experiment(tmp_path):
    status, printed, errors = run("coins.py", tmp_path, "+experiment=coins")
    assert status == 0, errors
    record = read_record(Path(printed.splitlines()[-1].removeprefix("record: ")))
    (metric,) = record.metrics
    assert metric.name == "heads/share"
    assert 0.3 < metric.value < 0.7
    assert record.config["data"]["n_throws"] == 200
    with pytest.raises(
        InputError, match="registered here; use the script that registers it"
    ):  # its script is not loaded here
        recorded(tmp_path / record.run_id)


@pytest.fixture
def coins(monkeypatch):
    """The schemas of a script, registered for one test."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    module = importlib.import_module("tests.plugin.coins")
    register("data", "coins")(module.CoinsConfig)
    register("eval", "heads")(module.HeadsConfig)
    return module


def test_what_a_script_registers_is_an_option_without_a_file(coins):
    config = composed(("data=coins", "eval=heads", "data.n_throws=7", "eval.heads.n_read=3"))
    assert config.data == coins.CoinsConfig(n_throws=7)
    assert config.eval == {"heads": coins.HeadsConfig(n_read=3)}


def test_a_file_comes_before_the_schema_of_its_name(coins, tmp_path):
    (tmp_path / "data").mkdir()
    text = "defaults: [/schema/data/coins@_here_, _self_]\nn_throws: 5\n"
    (tmp_path / "data" / "coins.yaml").write_text(text)
    words = ("data=coins", "eval=heads", "--cfg", "job", "--config-dir", str(tmp_path))
    assert "n_throws: 5" in called(*words, cwd=tmp_path, check=0).stdout


def test_a_schema_that_a_notebook_registers_again_replaces_the_first(coins):
    assert composed(("data=coins",)).data.n_throws == 1000

    @register("data", "coins")
    @dataclass(kw_only=True, slots=True)
    class Again(coins.CoinsConfig):
        __module__ = coins.__name__
        n_throws: int = 2000

    assert composed(("data=coins",)).data.n_throws == 2000


@pytest.mark.slow
def test_a_script_refuses_unknown_keys_of_its_own_world(tmp_path):
    status, _, errors = run("coins.py", tmp_path, "+experiment=coins", "data.n_thorws=3")
    assert (status, errors) == (
        2,
        "error: unknown key data.n_thorws; did you mean data.n_throws?\n",
    )


def test_a_mixer_of_somebody_else_is_trained_and_its_run_goes_on(tmp_path):
    words = [
        "+experiment=capacity_100x",
        "+model/mixer=running_mean",
        "model.position=none",
        *SMALL,
        "model.mixer.has_bias=false",
        "--config-dir",
        f"{PLUGIN}/conf",
    ]
    importlib.import_module("tests.plugin.running_mean")
    record = read_record(record_path(called(*words, cwd=tmp_path, check=0), tmp_path))
    d, n_layers = record.config["model"]["d_model"], record.config["model"]["n_layers"]
    assert record.parameters["attention"] == n_layers * d * d
    assert record.config["kinds"]["model.mixer"] == "mixer/running_mean"
    assert "finished before" in called(*words, cwd=tmp_path, check=0).stdout
    plain = composed(("+experiment=capacity_100x", "data.n_people=20"))
    assert plain.run_id != record.run_id


@pytest.mark.slow
def test_a_script_with_a_mixer_is_a_command(tmp_path):
    words = ["+experiment=capacity_100x", "+model/mixer=running_mean", "model.position=none"]
    status, _, errors = run("running_mean.py", tmp_path, *words, *SMALL)
    assert status == 0, errors


@pytest.mark.slow
@pytest.mark.parametrize("words", [("seeds=2",), ("seed=0,1", "launcher=processes", "--multirun")])
def test_what_a_script_adds_is_known_in_processes_too(tmp_path, words):
    status, _, errors = run("coins.py", tmp_path, "+experiment=coins", *words)
    assert status == 0, errors
    assert len(list(tmp_path.glob("*/record.json"))) == 2
