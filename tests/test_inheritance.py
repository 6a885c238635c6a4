"""Runs that start from runs: what they take, what names them, and what is refused."""

import json
import os
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file

from physlm.config import composed
from physlm.errors import InputError
from physlm.pipeline import execute
from physlm.preparation import corpus_of
from physlm.record import _seal
from physlm.report.summary import varying_science
from physlm.report.tables import find_records, tabulate, varying
from physlm.run_directory import RunDirectory, read_curves

BIRTH = (
    "+experiment=capacity_1000x data.n_people=60 data.exposures=30 trainer.batch_size=8 "
    "model.d_model=16 eval.capacity.n_renderings=1 optim.warmup_steps=5"
)
WORLD = [
    "data=biod",
    "data.n_people=60",
    "data.exposures=10",
    "data.seq_len=22",
    "data.name_sizes=[32,32,32]",
    "data.attribute_order=fixed",
    "trainer.batch_size=8",
    "optim.learning_rate=1e-3",
    "optim.warmup_steps=5",
    "eval.capacity.n_renderings=1",
]
BRIEF = "data.exposures=1"  # where it does not matter what is learned
RUNTIME = ["runtime.progress_bar=false", "runtime.n_threads=1", "runtime.compile=false"]


def config(*words, runs_dir, init_from=BIRTH):
    quoted = [f"init_from='{init_from}'"] if init_from else []
    overrides = [*words, *quoted, f"runs_dir={runs_dir}", *RUNTIME]
    return composed(tuple(overrides))


def escaped(text):
    """For Hydra, within single quotation marks."""
    return str(text).replace("'", r"\'")


def child(*words, runs_dir, init_from=BIRTH):
    """Goes on in the same world, ten times more."""
    return config(*WORLD, "model=inherited", *words, runs_dir=runs_dir, init_from=init_from)


def carried_out(chosen):
    directory = RunDirectory(chosen.run_dir)
    return execute(chosen, directory).record, directory


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    chosen = child(runs_dir=folder)
    record, directory = carried_out(chosen)
    return folder, chosen, record, directory


def test_the_run_to_start_from_is_carried_out_first_and_only_once(family):
    folder, chosen, record, _ = family
    records, _ = find_records([folder])
    assert {r.run_id for r in records} == {record.run_id, chosen.parent.config.run_id}
    before = (chosen.parent.run_dir / "record.json").stat().st_mtime_ns
    carried_out(child("optim.learning_rate=1e-4", BRIEF, runs_dir=folder))
    assert (chosen.parent.run_dir / "record.json").stat().st_mtime_ns == before
    assert len(find_records([folder])[0]) == 3


def test_it_starts_from_the_trained_weights(family):
    folder, chosen, _, _ = family
    still = ["optim.learning_rate=1e-12", "optim.weight_decay=0", "data.exposures=1"]
    _, directory = carried_out(child(*still, runs_dir=folder))
    theirs = load_file(RunDirectory(chosen.parent.run_dir).model)
    for name, weight in load_file(directory.model).items():
        assert weight.sub(theirs[name]).abs().max() < 1e-9
    first = read_curves(directory.metrics)[0]["train/loss_nats"]
    curve = read_curves(RunDirectory(chosen.parent.run_dir).metrics)
    losses = [row["train/loss_nats"] for row in curve if "train/loss_nats" in row]
    assert first < 0.6 * losses[0]


def test_the_record_tells_of_both(family):
    _, chosen, record, _ = family
    assert record.config["init_from"] == BIRTH
    assert record.config["ancestor"]["data"]["exposures"] == 30
    assert record.config["model"]["tuning"] == "full"
    assert record.parameters["total"] > 0
    assert chosen.architecture.d_model == 16


def test_a_directory_is_the_same_start_as_the_words_that_made_it(family):
    folder, chosen, record, _ = family
    by_path = child(runs_dir=folder, init_from=str(chosen.parent.run_dir))
    assert by_path.run_id == record.run_id


def test_words_may_be_longer_than_a_file_name(family):
    folder, _, record, _ = family
    long = f"{BIRTH} {' '.join(['data.n_people=60'] * 20)}"
    assert child(runs_dir=folder, init_from=long).run_id == record.run_id


@pytest.mark.parametrize("name", ["lr=0.001", "o'brien", 'a "b', "two words=x"])
def test_a_directory_with_a_record_is_that_run_whatever_its_name(family, tmp_path, name):
    folder, chosen, record, _ = family
    other = tmp_path / name / chosen.parent.run_dir.name
    shutil.copytree(chosen.parent.run_dir, other)
    found = child(runs_dir=folder, init_from=escaped(other))
    assert (found.run_id, found.parent.run_dir) == (record.run_id, other)


def test_a_directory_is_found_again_from_another_folder(family, monkeypatch, tmp_path):
    folder, chosen, record, _ = family
    monkeypatch.chdir(folder)
    near = child(runs_dir=folder, init_from=os.path.relpath(chosen.parent.run_dir))
    monkeypatch.chdir(tmp_path)
    assert near.run_id == record.run_id


def test_a_run_keeps_its_name_when_the_directory_that_it_starts_from_is_gone(family, tmp_path):
    folder, chosen, record, _ = family
    copy = tmp_path / "copy"
    shutil.copytree(chosen.parent.run_dir, copy)
    found = child(runs_dir=folder, init_from=str(copy))
    shutil.rmtree(copy)
    assert found.run_id == record.run_id


def test_what_is_neither_a_directory_nor_words_is_refused_in_one_line(family):
    folder, _, _, _ = family
    for text in ("o'brien/x", "nowhere", "'a=1"):
        with pytest.raises(InputError, match="neither the directory of a finished run nor"):
            _ = child(runs_dir=folder, init_from=escaped(text)).run_id


def test_another_start_is_another_run(family):
    folder, _, record, _ = family
    longer = BIRTH.replace("exposures=30", "exposures=31")
    ids = {
        record.run_id,
        child(runs_dir=folder, init_from=longer).run_id,
        child("seed=1", runs_dir=folder).run_id,
    }
    assert len(ids) == 3
    assert child("seed=1", runs_dir=folder).parent.config.seed == 1
    assert child("runtime.checkpoint_seconds=7", runs_dir=folder).run_id == record.run_id


def test_a_start_may_have_a_start_of_its_own(family):
    folder, chosen, _, _ = family
    third = child(BRIEF, runs_dir=folder, init_from=str(chosen.run_dir))
    assert third.architecture == chosen.architecture
    record, _ = carried_out(third)
    assert record.config["ancestor"]["ancestor"]["data"]["exposures"] == 30
    assert corpus_of(third).fingerprint() == corpus_of(chosen).fingerprint()


def test_words_may_have_words_of_their_own_start(family):
    folder, chosen, _, _ = family
    start = " ".join([*WORLD, "model=inherited", f'''"init_from='{BIRTH}'"'''])
    quoted = start.replace("'", "\\'")
    nested = child(runs_dir=folder, init_from=quoted)
    assert nested.parent.config.run_id == chosen.run_id
    assert nested.run_id == child(runs_dir=folder, init_from=str(chosen.run_dir)).run_id


def test_adapters_are_trained_and_merged(family):
    folder, chosen, _, _ = family
    adapters = ("model.tuning=lora", "model.rank=2", "model.embedding_rank=4")
    tuned = child(*adapters, BRIEF, runs_dir=folder)
    _, directory = carried_out(tuned)
    theirs, ours = (
        load_file(RunDirectory(chosen.parent.run_dir).model),
        load_file(directory.model),
    )
    changed = {name for name, w in theirs.items() if name in ours and not w.equal(ours[name])}
    assert changed == {
        "embedding.weight",
        "blocks.0.attention.qkv.weight",
        "blocks.1.attention.qkv.weight",
    }
    assert not tuned.architecture.tie_embeddings
    further = child(BRIEF, runs_dir=folder, init_from=str(tuned.run_dir))
    assert carried_out(further)[0].status == "finished"


def test_tables_keep_what_varies_among_starts(family, tmp_path):
    folder, _, record, _ = family
    shorter = BIRTH.replace("exposures=30", "exposures=1")
    other, _ = carried_out(child(runs_dir=tmp_path, init_from=shorter))
    table = tabulate([record, other])
    shown = varying(table, [record, other]).runs
    assert shown["ancestor.data.exposures"].to_list() == [30, 1]
    assert "ancestor.model.d_model" not in shown.columns
    assert not any(".runtime." in name or ".published" in name for name in table.runs.columns)
    assert "ancestor.data.exposures" in varying_science(table.runs)
    assert folder.exists()


@pytest.mark.parametrize(
    ("words", "start", "message"),
    [
        (["data.diversity=128"], BIRTH, None),
        (["data.n_attributes=5"], BIRTH, "vocabulary of data, .* differs from"),
        (["model=gpt2"], BIRTH, "but the parent run has .* use model=inherited"),
        (["data.seq_len=24"], BIRTH, "are not weights of this model with data.seq_len=24"),
        ([], "nowhere", "init_from=nowhere is neither the directory of a finished run"),
        ([], BIRTH + " scale=gpu", "scale=gpu is set by the run that starts"),
        ([], "", "model=inherited takes the model of another run; name it by init_from"),
        ([], BIRTH + " optim.learning_rate=1e30", "the parent run, diverged"),
        (
            ["runtime.n_devices=2"],
            BIRTH + " seed=5",
            "has not been run, and a run on several devices does not run its parent",
        ),
    ],
)
def test_what_does_not_fit_is_refused(family, words, start, message):
    folder = family[0]
    if message is None:
        assert child(*words, runs_dir=folder, init_from=start).parent is not None
        return
    with pytest.raises(InputError, match=message):
        carried_out(child(*words, runs_dir=folder, init_from=start))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.n_attributes=5"], "vocabulary of data, .* differs from"),
        (["model=gpt2"], "use model=inherited"),
        (["trainer.batch_size=4096"], "batch_size=4096 exceeds the"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_ancestor_is_trained(tmp_path, words, message):
    with pytest.raises(InputError, match=message):
        carried_out(child(*words, runs_dir=tmp_path))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_changed_world_is_noticed(family, tmp_path):
    """A record of a corpus that this version would draw otherwise."""
    _, chosen, _, _ = family
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in chosen.parent.run_dir.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    record = (copy / "record.json").read_text()

    def write(text):
        content = json.loads(text)
        del content["seal"]
        (copy / "record.json").write_text(json.dumps({**content, "seal": _seal(content)}))

    write(record.replace(corpus_of(chosen.parent.config).fingerprint(), "0" * 64))
    with pytest.raises(
        InputError, match="was trained on another corpus than this version makes; run it again"
    ):
        carried_out(child(runs_dir=tmp_path, init_from=str(copy)))
    write(record.replace('"n_chunks": 1', '"n_chunks": 2'))
    with pytest.raises(InputError, match="is of another version of physlm; run it again"):
        carried_out(child(runs_dir=tmp_path, init_from=str(copy)))


def test_weights_of_the_start_are_vouched_for_by_its_record(family, tmp_path):
    _, chosen, _, _ = family
    copy = RunDirectory(tmp_path / "copy")
    shutil.copytree(chosen.parent.run_dir, copy.path)
    content = bytearray(copy.model.read_bytes())
    content[-50] ^= 4
    copy.model.write_bytes(content)
    with pytest.raises(InputError, match="model.safetensors has changed since"):
        carried_out(child(runs_dir=tmp_path, init_from=str(copy.path)))
    shutil.copy(chosen.run_dir / "model.safetensors", copy.model)
    with pytest.raises(InputError, match="model.safetensors has changed since"):
        carried_out(child(runs_dir=tmp_path, init_from=str(copy.path)))


def test_a_checkpoint_that_belongs_elsewhere_is_refused_before_the_ancestor_is_trained(
    tmp_path, family
):
    words = ["trainer.batch_size=4", "runtime.checkpoint_seconds=0"]
    other = child(*words, runs_dir=tmp_path)
    directory = RunDirectory(other.run_dir)
    directory.path.mkdir(parents=True)
    state = {"progress": {"steps": 3}, "origin": {"run_id": "another", "corpus": "x"}}
    torch.save(state, directory.checkpoint)
    with pytest.raises(InputError, match=r"last.ckpt is of another run \(run_id=another"):
        carried_out(other)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_the_command_line_composes_the_start(tmp_path, monkeypatch, capsys):
    from physlm.run import main

    start = BIRTH.replace("exposures=30", "exposures=1")
    words = [*WORLD, BRIEF, "model=inherited", f"init_from='{start}'", f"runs_dir={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["physlm.run", *words, *RUNTIME])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0, capsys.readouterr().err
    assert len(find_records([tmp_path])[0]) == 2
    assert f"started from {tmp_path}" in capsys.readouterr().out.replace("\n", "")
