"""Corpora on disk, read by the library datasets."""

import json
import sys

import pyarrow.parquet as pq
import pytest

datasets = pytest.importorskip("datasets")

from data_gen import questions  # noqa: E402
from physlm.config import composed, register  # noqa: E402
from physlm.data.export import write_corpus  # noqa: E402
from physlm.data.people.bior import BiorConfig  # noqa: E402

register()
KINDS = {
    "bios": (("data=bios", "data.n_people=20", "data.tokenizer=compact"), {"people"}),
    "bior": (None, {"people"}),
    "biod": (("data=biod", "data.n_people=20"), {"people"}),
    "cfg": (("data=cfg", "data.n_strings=20"), {"rules"}),
    "brevo": (("data=brevo", "data.n_documents=20"), set()),
    "copy": (("data=copy", "data.n_documents=20"), set()),
    "depo": (("data=depo", "data.n_documents=20"), set()),
    "mano": (("data=mano", "data.n_documents=20"), set()),
    "igsm": (("data=igsm", "data.n_documents=20"), set()),
}
SLOW = {"bior", "brevo", "copy", "depo", "mano", "igsm"}


@pytest.mark.parametrize(
    "kind",
    [kind if kind not in SLOW else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS],
)
def test_every_kind_of_corpus_is_read_from_its_folder(tmp_path, kind):
    words, tables = KINDS[kind]
    config = BiorConfig(n_people=20) if words is None else composed(words).data
    description = {"seed": 0, "data": {"kind": kind}}
    folder = write_corpus(config.build(0), tmp_path / kind, n_epochs=1, description=description)
    cache = str(tmp_path / "cache")
    assert set(datasets.get_dataset_config_names(str(folder))) == {"documents", *tables}
    read = datasets.load_dataset(str(folder), cache_dir=cache)
    assert list(read) == ["train"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert len(read["train"]) == manifest["documents"]
    expected = pq.read_table(folder / "documents.parquet").to_pylist()
    assert read["train"][3] == expected[3]
    for table in tables:
        rows = datasets.load_dataset(str(folder), table, cache_dir=cache)["train"]
        assert rows.to_list() == pq.read_table(folder / f"{table}.parquet").to_pylist()


def test_questions_have_a_split_for_training_and_held_out_people(tmp_path, monkeypatch, capsys):
    folder, file = tmp_path / "questions", tmp_path / "questions.parquet"
    words = ["+experiment=extraction", "init_from='+experiment=people data.n_people=20'"]
    for output in (folder, file):
        monkeypatch.setattr(sys, "argv", ["", *words, "--output", str(output)])
        questions.main()
    read = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    every = pq.read_table(file).to_pylist()
    for split in ("train", "test"):
        assert read[split].to_list() == [row for row in every if row["split"] == split]
    assert f"{len(every):,} questions: {folder}" in capsys.readouterr().out
