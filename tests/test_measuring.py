"""A trained run is measured scorer by scorer: nothing that was computed is lost or done again."""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from physlm.arrays import read_arrays
from physlm.atomic import write_text
from physlm.config import RunConfig
from physlm.errors import InputError, UnmeasuredError
from physlm.eval.people.capacity import CapacityConfig
from physlm.eval.people.recall import RecallConfig
from physlm.eval.scorer import ScorerConfig
from physlm.frames import read_frame
from physlm.measurement import Measurement, Metric, by_text
from physlm.measuring import measured
from physlm.models.architecture import DecoderConfig
from physlm.pipeline import execute
from physlm.preparation import prepare
from physlm.record import read_record
from physlm.registry import register
from physlm.report.printed import table
from physlm.run import explain
from physlm.run_directory import RunDirectory
from physlm.train.logger import LoggerConfig, Tracker
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig
from tests.conftest import tiny_biod_config
from tests.test_record import make_record


def config(folder, **changes):
    values = {
        "data": tiny_biod_config(),
        "model": DecoderConfig(d_model=16),
        "optim": OptimConfig(warmup_steps=2),
        "trainer": TrainerConfig(batch_size=4),
        "eval": {"first": CapacityConfig(n_renderings=1), "second": RecallConfig(n_renderings=2)},
        "runtime": RuntimeConfig(compile=False, n_threads=1, progress_bar=False),
        "runs_dir": str(folder),
    }
    return RunConfig(**(values | changes))


def carried_out(chosen):
    return execute(chosen, RunDirectory(chosen.run_dir))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished run."""
    chosen = config(tmp_path_factory.mktemp("done"))
    return chosen, carried_out(chosen).record


@pytest.fixture
def copied(done, tmp_path):
    """A copy of it that may be damaged: its configuration and its directory."""
    chosen, _ = done
    shutil.copytree(chosen.runs_dir, tmp_path / "runs")
    chosen = replace(chosen, runs_dir=str(tmp_path / "runs"))
    return chosen, RunDirectory(chosen.run_dir)


@pytest.fixture
def failing(monkeypatch):
    """The second scorer fails."""

    def fail(self, model, corpus):
        raise RuntimeError("no memory left\nat all")

    with monkeypatch.context() as patched:
        patched.setattr(RecallConfig, "measure", fail)
        yield patched


@pytest.fixture
def untrainable(monkeypatch):
    """Whatever trains from here on fails."""
    monkeypatch.setattr("physlm.pipeline.fit", None)


def test_what_fails_to_measure_leaves_the_rest_and_its_reason(
    done, tmp_path, failing, monkeypatch, capsys
):
    chosen = config(tmp_path)
    record = carried_out(chosen).record
    assert record == read_record(RunDirectory(chosen.run_dir).record)
    assert record.status == "trained"
    assert record.errors["second"].startswith("RuntimeError: no memory left at all (test_measuring")
    assert record.metrics == done[1].metrics[: len(record.metrics)] != ()
    with pytest.raises(UnmeasuredError) as error:
        record.raise_unless_finished()
    assert explain(error.value) == 1
    told = capsys.readouterr().err
    assert told.startswith("not measured: eval.second: RuntimeError: no memory left")
    assert len(told.splitlines()) == 1
    failing.undo()
    monkeypatch.setattr("physlm.pipeline.fit", None)
    again = carried_out(chosen).record
    assert (again.status, again.errors, again.metrics) == ("finished", {}, done[1].metrics)
    assert (again.steps, again.wall_seconds) == (record.steps, record.wall_seconds)
    assert carried_out(chosen).was_done


@pytest.mark.usefixtures("untrainable")
def test_rescoring_measures_again_what_training_came_to(done, copied, monkeypatch):
    chosen, _ = copied
    again = carried_out(replace(chosen, rescore=True))
    assert not again.was_done
    assert again.record.metrics == done[1].metrics
    assert again.record.software == done[1].software
    assert again.record.scoring_software["torch"]
    for scorer in (CapacityConfig, RecallConfig):
        monkeypatch.setattr(scorer, "version", 2)
    outdated = carried_out(chosen)
    assert outdated.was_done
    assert outdated.outdated == (
        "eval.first was version 1, now 2",
        "eval.second was version 1, now 2",
    )
    assert carried_out(replace(chosen, rescore=True)).record.scorers == {"first": 2, "second": 2}
    assert carried_out(chosen).outdated == ()


@pytest.mark.usefixtures("untrainable", "failing")
def test_a_scorer_that_fails_anew_leaves_the_old_record(copied):
    chosen, directory = copied
    before = directory.record.read_bytes()
    with pytest.raises(UnmeasuredError, match="eval.second: RuntimeError: no memory left"):
        carried_out(replace(chosen, rescore=True))
    assert directory.record.read_bytes() == before


@register("eval", "counting")
@dataclass(kw_only=True, slots=True)
class CountingConfig(ScorerConfig):
    """Counts, keeps what it counted as an array and a table, and draws that."""

    figure_names = ("counts",)
    table_names = ("counts3", "counts5")

    highest: int = 3

    def check(self, model, corpus):
        pass

    def measure(self, model, corpus):
        if self.highest < 0:
            raise InputError("nothing to count")
        counts = np.arange(self.highest + 1)
        metric = Metric(name="counts", value=self.highest, unit="", n=1, dims={"of": self.highest})
        name = f"counts{self.highest}"
        files = {name: lambda path: write_text(path / "highest.txt", str(self.highest))}
        return Measurement(
            (metric,), {"counts": counts}, {name: pl.DataFrame({"n": counts})}, files
        )

    def figures(self, measurement):
        figure = Figure()
        counts = measurement.arrays["counts"]
        figure.subplots().plot(counts, measurement.tables[f"counts{counts[-1]}"]["n"])
        return {"counts": figure}


@pytest.fixture
def counted(copied):
    """A run that another scorer with arrays measures, too: its configuration and directory."""
    chosen, _ = copied
    chosen = replace(
        chosen, eval={"one": CountingConfig(), **chosen.eval, "two": CountingConfig(highest=5)}
    )
    source = RunDirectory(copied[0].run_dir)
    shutil.copytree(source.path, chosen.run_dir)
    directory = RunDirectory(chosen.run_dir)
    record = replace(source.read_record(), run_id=chosen.run_id, config=chosen.described())
    directory.write_record(replace(record, status="trained", metrics=(), scorers={}, sha256={}))
    tensors = load_file(directory.model)
    save_file(tensors, directory.model)
    return chosen, directory


@pytest.mark.usefixtures("untrainable")
def test_a_metric_that_another_scorer_has_measured_fails_the_second_scorer(counted):
    chosen, directory = counted
    chosen = replace(chosen, eval={**chosen.eval, "two": CountingConfig()})
    directory.path.rename(chosen.run_dir)
    directory = RunDirectory(chosen.run_dir)
    earlier = directory.read_record()
    directory.write_record(
        replace(earlier, run_id=chosen.run_id, config=chosen.described(), status="trained")
    )
    save_file(load_file(directory.model), directory.model)
    record = carried_out(chosen).record
    assert record.status == "trained"
    assert "metric counts{of=3} was measured twice" in record.errors["two"]
    assert record.arrays.keys() == {"one"}


@pytest.mark.usefixtures("untrainable")
def test_arrays_are_kept_beside_the_record_and_figures_drawn_of_them_alone(counted, monkeypatch):
    chosen, directory = counted
    record = carried_out(chosen).record
    assert record.status == "finished"
    with np.load(directory.arrays, allow_pickle=False) as file:
        assert file["one/counts"].tolist() == [0, 1, 2, 3]
        assert file["two/counts"].tolist() == [0, 1, 2, 3, 4, 5]
    assert directory.read_record().arrays.keys() == {"one", "two"}
    for highest in (3, 5):
        frame = read_frame(directory.table(f"counts{highest}"))
        assert frame["n"].to_list() == list(range(highest + 1))
        assert (directory.path / f"counts{highest}" / "highest.txt").read_text() == str(highest)
        expected = hashlib.sha256(str(highest).encode()).hexdigest()
        assert record.sha256[f"counts{highest}/highest.txt"] == expected
    directory.figure("counts").unlink()
    monkeypatch.setattr("physlm.preparation.build_world", None)  # neither model nor corpus is made
    assert carried_out(chosen).was_done
    assert directory.figure("counts").exists()


def test_files_of_an_earlier_measurement_do_not_stay(tmp_path):
    directory, subject = RunDirectory(tmp_path), (None, None)
    scorers = {"one": CountingConfig(), "two": CountingConfig(highest=5)}
    hashes = {"model.safetensors": "ab"}
    record = measured(scorers, make_record(scorers={}, sha256=hashes), subject, directory)
    (tmp_path / "counts3" / "stale.txt").write_text("of an earlier version")
    record = measured({"one": scorers["one"]}, record, subject, directory, is_anew=True)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {"counts3/highest.txt", "counts3.parquet", "arrays.npz", "record.json"}
    kept = {"counts3/highest.txt", "counts3.parquet", "model.safetensors"}
    assert record.sha256.keys() == directory.read_record().sha256.keys() == kept
    directory.begin(config(tmp_path), first_step=0)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.usefixtures("untrainable")
def test_arrays_that_were_measured_before_a_failure_are_kept_and_come_to_the_same(counted, failing):
    chosen, directory = counted
    assert carried_out(chosen).record.arrays.keys() == {"one", "two"}
    assert directory.read_record().status == "trained"
    # As if the process had ended once the arrays of the last scorer were written.
    record = directory.read_record()
    kept = {name: digest for name, digest in record.arrays.items() if name == "one"}
    scorers = {name: version for name, version in record.scorers.items() if name != "two"}
    metrics = tuple(metric for metric in record.metrics if metric.dims.get("of") != 5)
    directory.write_record(replace(record, arrays=kept, scorers=scorers, metrics=metrics))
    failing.undo()
    failing.setattr("physlm.pipeline.fit", None)
    again = carried_out(chosen).record
    assert again.status == "finished"
    assert again.arrays == record.arrays
    assert by_text(again.metrics).keys() >= by_text(record.metrics).keys()
    assert read_arrays(directory.arrays, again.arrays).keys() == {"one", "two"}


@pytest.mark.usefixtures("untrainable")
def test_arrays_that_changed_stop_no_finished_run_and_are_measured_again(counted, capsys):
    chosen, directory = counted
    before = carried_out(chosen).record
    directory.arrays.write_bytes(b"no archive")
    directory.figure("counts").unlink()
    assert carried_out(chosen).was_done
    told = capsys.readouterr().err
    assert "arrays.npz cannot be read" in told
    assert "rescore=true measures it again" in told
    again = carried_out(replace(chosen, rescore=True)).record
    assert (again.metrics, again.arrays) == (before.metrics, before.arrays)
    assert directory.figure("counts").exists()


@pytest.mark.usefixtures("untrainable")
def test_a_scorer_that_fails_anew_leaves_the_old_arrays(counted, monkeypatch):
    chosen, directory = counted
    carried_out(chosen)
    before = directory.record.read_bytes(), directory.arrays.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(RecallConfig, "measure", None)
        with pytest.raises(UnmeasuredError):
            carried_out(replace(chosen, rescore=True))
    assert (directory.record.read_bytes(), directory.arrays.read_bytes()) == before


@pytest.mark.usefixtures("untrainable")
def test_a_figure_never_stops_a_run_and_is_drawn_by_the_same_command_later(
    copied, monkeypatch, capsys
):
    chosen, directory = copied
    directory.figure("figure").unlink()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("matplotlib.figure.Figure.savefig", full)
        assert carried_out(chosen).was_done
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "figure.png could not be written: No space left on device" in told
    assert not directory.figure("figure").exists()
    assert carried_out(chosen).was_done
    assert directory.figure("figure").exists()


@pytest.mark.parametrize("kind", list(Tracker)[:2])
def test_a_run_whose_weights_are_all_one_wants_ends_well(tmp_path, kind):
    chosen = config(tmp_path, eval={}, logger=LoggerConfig(kind=kind))
    record = carried_out(chosen).record
    assert (record.status, record.metrics) == ("finished", ())
    assert table(record, chosen).row_count > 0
    assert carried_out(chosen).was_done


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


@pytest.mark.usefixtures("untrainable")
def test_weights_that_changed_are_refused(copied):
    chosen, directory = copied
    flip_a_bit(directory.model)
    with pytest.raises(InputError, match="model.safetensors has changed since") as error:
        carried_out(replace(chosen, rescore=True))
    assert "force=true" in str(error.value)


@pytest.mark.usefixtures("untrainable")
def test_weights_say_what_they_are_of_and_those_of_earlier_versions_nothing(copied):
    """Without a hash in the record, what the file itself says still counts."""
    chosen, directory = copied
    with safe_open(directory.model, framework="pt") as file:
        assert json.loads(file.metadata()["physlm"])["run_id"] == chosen.run_id
    record = directory.read_record()
    directory.write_record(replace(record, sha256={}))
    tensors = load_file(directory.model)
    save_file(tensors, directory.model)
    assert carried_out(replace(chosen, rescore=True)).record.metrics == record.metrics
    save_file(tensors, directory.model, {"physlm": json.dumps({"run_id": "another"})})
    with pytest.raises(InputError, match="model.safetensors is of another run"):
        carried_out(replace(chosen, rescore=True))


@pytest.mark.usefixtures("untrainable")
def test_a_record_that_belongs_elsewhere_is_refused(copied):
    chosen, directory = copied
    other = replace(chosen, seed=1)
    shutil.copytree(directory.path, other.run_dir)
    with pytest.raises(InputError, match="record.json is of another run"):
        carried_out(other)
    record = directory.read_record()
    directory.write_record(replace(record, config=record.config | {"seed": 7}))
    with pytest.raises(InputError, match="record.json says seed=7, but run .* has 0"):
        carried_out(chosen)


def test_what_is_shorter_than_its_parts_is_refused_before_compute(tmp_path):
    with pytest.raises(InputError, match="warmup_steps=1000, but training has about"):
        prepare(config(tmp_path, optim=OptimConfig()))
    runtime = RuntimeConfig(n_evaluations=1000)
    with pytest.raises(InputError, match="n_evaluations=1000, but training has about"):
        prepare(config(tmp_path, runtime=runtime))
