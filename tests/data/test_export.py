import json
import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from physlm.data import export
from physlm.data.export import write_corpus
from physlm.data.people.augmentation import AugmentationConfig, Subject
from physlm.data.people.bios import BiosConfig
from physlm.data.stored import read_corpus, sha256_of
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError


@pytest.fixture(scope="module")
def written(tmp_path_factory, bios):
    folder = tmp_path_factory.mktemp("written") / "corpus"
    return write_corpus(bios, folder, n_epochs=2, description={"seed": 7})


@pytest.fixture
def folder(tmp_path, written):
    """A copy that a test may damage."""
    return shutil.copytree(written, tmp_path / "corpus")


def test_reading_back_gives_the_same_tokens(folder, bios):
    stored = read_corpus(folder)
    expected = np.concatenate([bios.epoch(e, 0, 300).tokens for e in range(2)])
    assert np.array_equal(stored.tokens, expected)
    assert len(stored.starts) == 601
    assert stored.manifest["fingerprint"] == bios.fingerprint()


def test_tables_hold_text_tokens_spans_and_facts(folder, bios):
    documents = pq.read_table(folder / "documents.parquet").to_pylist()
    people = {row["person"]: row for row in pq.read_table(folder / "people.parquet").to_pylist()}
    assert len(documents) == 600
    assert len(people) == 300
    for row in documents[::37]:
        tokens = np.array(row["tokens"], dtype=np.int32)
        assert bios.vocabulary.decode(tokens[1:]) == row["text"]
        for name in ("name", "birth_date", "employer", "gender"):
            value = tokens[row[f"{name}_start"] : row[f"{name}_end"]]
            assert bios.vocabulary.decode(value).strip() == people[row["person"]][name]


@pytest.mark.parametrize("name", ["tokens.bin", "documents.parquet", "index.npy", "manifest.json"])
def test_a_truncated_file_is_refused(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="again"):
        read_corpus(folder)


def test_an_existing_folder_is_left_alone(folder, bios):
    before = (folder / "manifest.json").read_text()
    with pytest.raises(InputError, match="exists"):
        write_corpus(bios, folder, n_epochs=1, description={})
    assert (folder / "manifest.json").read_text() == before


def test_a_failed_write_leaves_nothing(tmp_path, bios, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write_vocabulary", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_corpus(bios, tmp_path / "corpus", n_epochs=1, description={})
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed_and_a_living_one_is_left_alone(tmp_path, bios):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = [
        tmp_path / f".corpus.{platform.node()}.{n}.incomplete" for n in (gone.pid, os.getppid())
    ]
    for path in left:
        path.mkdir()
    folder = write_corpus(bios, tmp_path / "corpus", n_epochs=1, description={})
    assert set(tmp_path.iterdir()) == {folder, left[1]}


def test_more_epochs_than_exposures_are_refused(tmp_path, bios):
    with pytest.raises(InputError, match="epochs=4"):
        write_corpus(bios, tmp_path / "corpus", n_epochs=4, description={})


def test_a_later_format_is_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format_version": 99}))
    with pytest.raises(InputError, match="format_version=99"):
        read_corpus(folder)


def test_a_gender_that_no_text_states_is_null_in_the_table(tmp_path):
    augmentation = AugmentationConfig(n_paraphrases=1, subject=Subject.full_name)
    config = BiosConfig(
        n_people=5, augmentation=augmentation, n_minority=3, tokenizer=TokenizerName.compact
    )
    folder = write_corpus(config.build(0), tmp_path / "corpus", n_epochs=1, description={})
    people = pq.read_table(folder / "people.parquet").to_pylist()
    assert [row["gender"] is None for row in people] == [True] * 5 + [False] * 3


def index(starts):
    """The change of a corpus to another index, with the hash that belongs to it."""

    def change(folder, manifest):
        np.save(folder / "index.npy", starts, allow_pickle=True)
        manifest["sha256"]["index.npy"] = sha256_of(folder / "index.npy")

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _, manifest: manifest.update(dtype="O"), "dtype=O; must be <u2 or <u4"),
        (lambda _, manifest: manifest.update(dtype={"a": 1}), "dtype="),
        (lambda _, manifest: manifest.update(sha256=[1]), "is not a corpus"),
        (lambda _, manifest: manifest["sha256"].update({"../a": "0"}), "which is not in it"),
        (index(np.array([{}])), "is not a corpus"),
        (index(np.array([0, 2**40])), "does not fit tokens.bin"),
        (index(np.array([0, 9, 3])), "does not fit tokens.bin"),
        (index(np.zeros((2, 2), dtype=np.int64)), "no list of whole numbers"),
    ],
)
def test_a_manifest_that_cannot_be_true_is_refused(folder, change, said):
    manifest = json.loads((folder / "manifest.json").read_text())
    change(folder, manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=said):
        read_corpus(folder)
