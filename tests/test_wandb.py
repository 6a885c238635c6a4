"""What arrives at W&B of a run: as it trains, published afterwards, and synced."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import wandb

from physlm import dashboard, publish
from physlm.measurement import dims_text
from physlm.publication import METRIC_COLUMNS, curves_of, labels_of, publication
from physlm.record import read_record
from physlm.report.dashboard import published_keys, read_dashboard
from physlm.run_directory import RunDirectory, read_curves
from physlm.train import wandb_run
from tests.command_line import called
from tests.wandb_server import logged_in

BITS = "capacity/bits_per_parameter{split=train}"
TINY = (
    "+experiment=capacity_100x",
    "data.n_people=40",
    "data.exposures=12",
    "model.d_model=16",
    "optim.warmup_steps=5",
    "runtime.compile=false",
    "runtime.n_evaluations=3",
)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of W&B on the loopback, at which the user is logged in."""
    monkeypatch.chdir(tmp_path)  # where W&B makes its folder
    with logged_in() as arrived:
        yield arrived


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with one run that was logged online, and what arrived meanwhile."""
    folder = tmp_path_factory.mktemp("trained")
    with logged_in() as arrived:
        called(*TINY, "logger=wandb", cwd=folder, check=0)
    (run_id,) = arrived.runs
    return RunDirectory(folder / "runs" / run_id), arrived.runs[run_id]


def config_of(run):
    return {name: value["value"] for name, value in run.config.items() if name != "_wandb"}


def results_of(run):
    """The summary without what W&B adds, and without the addresses of media."""
    own = {k: v for k, v in run.summary.items() if not k.startswith("_")}
    return {k: v for k, v in own.items() if not isinstance(v, dict)}


def rows_of(run):
    """The rows of curves, without what W&B adds."""
    rows = [{k: v for k, v in row.items() if not k.startswith("_")} for row in run.history]
    return [row for row in rows if "metrics" not in row]


def timeless(rows):
    """Rows without the speed, which alone differs when a run is repeated."""
    kept = [{k: v for k, v in row.items() if k != "train/tokens_per_second"} for row in rows]
    return [{k: pytest.approx(v) for k, v in row.items()} for row in kept]


def test_a_run_is_found_by_experiment_seed_free_group_part_and_scale(trained):
    directory, run = trained
    record = read_record(directory.record)
    assert run.labels["displayName"] == f"capacity_100x-{record.run_id[:6]}"
    assert run.labels["jobType"] == "capacity_100x"
    assert run.labels["tags"] == ["Part 3.3", "laptop"]
    assert run.labels["project"] == "physlm"
    other_seed = labels_of("x", record.config | {"seed": 7}).group
    other_width = labels_of("x", record.config | {"model": {"d_model": 17}}).group
    assert run.labels["groupName"] == other_seed != other_width


def test_the_configuration_is_nested_and_holds_parameters_entropy_revision_and_device(trained):
    directory, run = trained
    record, config = read_record(directory.record), config_of(run)
    assert config["data"]["n_people"] == 40
    assert config["model"] == record.config["model"]
    assert config["parameters"]["total"] == record.parameters["total"]
    assert config["corpus"]["entropy_bits"] == pytest.approx(record.corpus["entropy_bits"])
    assert config["software"]["git_revision"] == record.software["git_revision"]
    assert config["device"] == record.device
    assert config["units"]["capacity/bits_per_parameter{split=train}"] == "bits/parameter"


def test_final_metrics_are_in_the_summary_alone_with_errors_and_counts(trained):
    directory, run = trained
    record, summary = read_record(directory.record), results_of(run)
    for metric in record.metrics:
        assert summary[metric.text] == pytest.approx(metric.value)
        assert summary[f"n/{metric.text}"] == metric.n
        assert summary.get(f"stderr/{metric.text}") == (
            metric.stderr and pytest.approx(metric.stderr)
        )
        assert not any(metric.text in row for row in run.history)
    assert summary["status"] == "finished"
    assert summary["exposures"] == 12


def test_curves_are_those_on_disk_and_have_exposures_as_their_axis(trained):
    directory, run = trained
    kept = [
        r for r in read_curves(directory.metrics) if {"train/tokens", "curve/tokens"} & r.keys()
    ]
    assert rows_of(run) == [pytest.approx(row) for row in kept]
    assert sum("curve/capacity/bits_per_parameter{split=train}" in row for row in kept) == 3
    defined = run.config["_wandb"]["value"]["m"]
    names = [metric.get("1") for metric in defined]  # 1: name, 2: pattern, 5: number of the axis
    axes = {metric["2"]: names[metric["5"] - 1] for metric in defined if "2" in metric}
    assert axes == {"train/*": "train/exposures", "curve/*": "curve/exposures"}


def test_figures_metric_table_record_and_weights_arrive(trained):
    directory, run = trained
    record = read_record(directory.record)
    images = [data for name, data in run.files.items() if name.startswith("media/images/")]
    assert sorted(images) == sorted(p.read_bytes() for p in directory.path.glob("*.png"))
    assert len(images) == 2
    (table,) = (json.loads(d) for name, d in run.files.items() if name.startswith("media/table/"))
    assert table["columns"] == list(METRIC_COLUMNS)
    assert table["data"] == [
        [m.name, dims_text(m.dims), m.value, m.stderr, m.n, m.unit] for m in record.metrics
    ]
    for kind, names in {
        "record": ["record.json", "config.yaml"],
        "model": ["model.safetensors"],
    }.items():
        artifact = run.artifacts[f"{kind}-{record.run_id}"]
        assert (artifact.kind, artifact.is_committed) == (kind, True)
        for name in names:
            assert artifact.files[name] == (directory.path / name).read_bytes()
    assert run.exit_code == 0


def test_what_is_published_later_is_what_arrived_live_and_once(trained, server, capsys):
    directory, live = trained
    runs = str(directory.path.parent)
    for _ in range(2):
        wandb.teardown()
        assert publish.main([runs, "--no-weights"]) == 0
    assert capsys.readouterr().out.count("1 of 1: capacity_100x-") == 2
    (run,) = server.runs.values()
    assert config_of(run) == config_of(live)
    assert results_of(run) == results_of(live)
    assert rows_of(run) == rows_of(live)
    for name in ("displayName", "groupName", "jobType", "tags"):
        assert run.labels[name] == live.labels[name]
    assert "model" not in {artifact.kind for artifact in run.artifacts.values()}


@pytest.mark.slow
def test_offline_runs_lie_in_one_folder_that_wandb_sync_sends(
    trained, server, tmp_path, monkeypatch
):
    directory, live = trained
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as offline:
        offline.setenv("WANDB_MODE", "online")
        wandb.teardown()
        assert publish.main([str(directory.path.parent), "--offline"]) == 0
        wandb.teardown()
    assert server.runs == {}
    folders = [str(path) for path in (tmp_path / "wandb").glob("offline-run-*")]
    assert len(folders) == 1
    monkeypatch.setenv("WANDB_MODE", "online")
    sync = [sys.executable, "-m", "wandb", "sync", *folders]
    subprocess.run(sync, check=True, capture_output=True, timeout=120)
    (run,) = server.runs.values()
    assert config_of(run) == config_of(live)
    assert results_of(run) == results_of(live)
    assert rows_of(run) == rows_of(live)
    assert {a.kind for a in run.artifacts.values()} == {"record", "model", "run_table"}
    assert run.exit_code == 0


def test_a_diverged_run_is_failed_at_wandb(server, tmp_path):
    words = (*TINY, "optim.learning_rate=1e30", "trainer.gradient_clip=null", "logger=wandb")
    called(*words, cwd=tmp_path, check=1)
    (run,) = server.runs.values()
    assert run.exit_code == 1
    assert run.summary["status"] == "diverged"
    assert run.summary["stopped_at_step"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "status"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_a_run_that_is_stopped_and_resumed_has_each_row_once_at_wandb(
    stop, status, server, tmp_path
):
    words = [sys.executable, "-m", "physlm.run", *TINY, "data.exposures=300", "logger=wandb"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL) as started:
        while not any(path.read_text() for path in tmp_path.glob("runs/*/metrics.jsonl")):
            assert started.poll() is None
            time.sleep(0.1)
        time.sleep(1)
        started.send_signal(stop)
        assert started.wait(timeout=120) == status
    (run,) = server.runs.values()
    assert run.exit_code == (1 if stop is signal.SIGTERM else None)
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=400)
    assert len(server.runs) == 1
    assert run.exit_code == 0
    assert run.summary["status"] == "finished"
    (path,) = tmp_path.glob("runs/*")
    assert timeless(rows_of(run)) == timeless(curves_of(RunDirectory(path)))


@pytest.mark.slow
def test_a_run_logged_after_training_and_again_has_each_row_once(server, tmp_path, capsys):
    for words in ((), ("rescore=true", "logger=wandb"), ("force=true", "logger=wandb")):
        wandb.teardown()
        called(*TINY, *words, cwd=tmp_path, check=0)
    (path,) = tmp_path.glob("runs/*")
    wandb.teardown()
    assert publish.main([str(path)]) == 0
    (run,) = server.runs.values()
    assert timeless(rows_of(run)) == timeless(curves_of(RunDirectory(path)))
    assert run.exit_code == 0
    assert "1 of 1: capacity_100x-" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_wandb_does_not_take_ends_no_other_of_the_process(server, monkeypatch):
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "3")
    config = {"experiment": "run", "scale": "laptop"}
    first = wandb_run.opened(labels_of("first", config), config, "physlm", None)
    server.is_answering.clear()
    try:
        with pytest.raises(wandb.errors.CommError):
            wandb_run.opened(labels_of("second", config), config, "physlm", None)
    finally:
        server.is_answering.set()
    wandb_run.log_rows(first, [{"train/exposures": 1.0}])
    wandb_run.close(first, is_finished=True)
    assert rows_of(server.runs["first"]) == [{"train/exposures": 1.0}]
    assert server.runs["first"].exit_code == 0


def keys_in(run):
    """All keys that the server has of a run, named as on the dashboard."""
    found = {key for row in run.history for key in row} | set(run.summary)

    def walk(value, prefix):
        for name, inner in value.items():
            if isinstance(inner, dict):
                walk(inner, f"{prefix}{name}.")
            else:
                found.add(f"config.{prefix}{name}")

    walk(config_of(run), "")
    return found


def test_published_keys_are_those_that_arrive(trained):
    directory, run = trained
    ours = published_keys([publication(read_record(directory.record), directory)])
    assert {key for key in ours if "units" not in key} <= keys_in(run)


@pytest.mark.slow
def test_every_key_of_the_dashboard_occurs_in_an_offline_run(tmp_path, monkeypatch):
    """As W&B's own inspector reads the files of a capacity run and of an extraction run."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb.teardown()
    people = "+experiment=people data.n_people=40 data.exposures=4 optim.warmup_steps=2"
    asked = (
        "+experiment=extraction",
        f"init_from='{people}'",
        "data.exposures=4",
        "optim.warmup_steps=2",
        "runtime.compile=false",
        "runtime.n_evaluations=2",
    )
    for words in (TINY, asked):
        called(*words, "logger=wandb", cwd=tmp_path, check=0)
    wandb.teardown()
    shown = ""
    for path in tmp_path.glob("wandb/offline-run-*/*.wandb"):
        inspect = [sys.executable, "-m", "wandb", "leet", "inspect", str(path)]
        done = subprocess.run(inspect, capture_output=True, text=True, check=True, timeout=60)
        shown += done.stdout
    for panel in read_dashboard().panels:
        for key in panel.keys:
            assert key.removeprefix("config.").split(".")[-1] in shown, key


@pytest.mark.parametrize("command", [publish.main, dashboard.main])
def test_bad_input_is_one_line(command, trained, tmp_path, monkeypatch, capsys):
    directory, _ = trained
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    wandb.teardown()

    def refused(*words):
        assert command(list(words)) == 2
        (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
        return line

    (tmp_path / "empty").mkdir()
    assert "empty: no record.json below" in refused("empty")
    assert "nowhere does not exist" in refused("nowhere")
    (tmp_path / "old" / "r").mkdir(parents=True)
    (tmp_path / "old" / "r" / "record.json").write_text('{"schema_version": 1}')
    assert "of another version of physlm" in refused("old")
    partial = ["--partial"] if command is dashboard.main else []
    claims = Path(__file__).parents[1] / "experiments/README.md"
    ledger = ["--ledger", str(claims)] if command is dashboard.main else []
    said = refused(str(directory.path.parent), *partial, *ledger)
    assert said == (
        "error: nobody is logged in to W&B; run wandb login, or set WANDB_API_KEY, or use "
        + ("--offline" if command is publish.main else "--preview")
    )
    if command is dashboard.main:
        assert "none of 1 runs has" in refused(str(directory.path.parent))
        assert "does not exist or has no claims" in refused(
            str(directory.path.parent), "--partial", "--ledger", "nothing.md"
        )
