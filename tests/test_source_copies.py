"""A run's directory is enough to start from it, wherever it lies by then."""

import shutil

import pytest

from physlm.config import composed, recorded
from physlm.data.cfg import Grammar
from physlm.data.cfg.formats import from_text
from physlm.errors import InputError
from physlm.pipeline import execute
from physlm.preparation import corpus_of
from physlm.run_directory import RunDirectory

GRAMMAR = "root S\nterminals 1 2 3\nS -> A B | B A A\nA -> 1 2 | 2 2\nB -> 3 1 | 1\n"
SMALL = [
    "data=cfg",
    "data.n_strings=60",
    "data.seq_len=8",
    "trainer.batch_size=8",
    "eval=[]",
    "optim.warmup_steps=5",
    "runtime.compile=false",
    "runtime.n_threads=1",
]
MODEL = ["model.d_model=16", "model.n_heads=2", "model.n_layers=1"]


def run(*words):
    config = composed((*SMALL, *words))
    execute(config, RunDirectory(config.run_dir))
    return config


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A run, and one that starts from its words, both made in a folder that was then moved."""
    folder = tmp_path_factory.mktemp("moved")
    with pytest.MonkeyPatch.context() as patch:
        (folder / "made here").mkdir()
        patch.chdir(folder / "made here")
        (folder / "made here" / "lr=1 @lab.txt").write_text(GRAMMAR)
        grammar = "data.grammar='lr=1 @lab.txt'"
        earlier = run(grammar, *MODEL)
        words = " ".join(f'"{word}"' for word in [*SMALL, grammar, *MODEL]).replace("'", "\\'")
        later = run(grammar, "model=inherited", "seed=1", f"init_from='seed=0 {words}'")
    (folder / "made here").rename(folder / "kept")
    (folder / "kept" / "lr=1 @lab.txt").unlink()
    return folder, earlier, later


@pytest.mark.parametrize("which", [1, 2])
def test_a_run_that_was_moved_builds_its_world_without_the_file(
    moved, tmp_path, monkeypatch, which
):
    made = moved[which]
    monkeypatch.chdir(tmp_path)
    again = recorded(moved[0] / "kept" / made.run_dir)
    assert again.run_id == made.run_id
    assert corpus_of(again).grammar == Grammar(from_text(GRAMMAR))


def test_a_run_starts_from_one_that_was_moved(moved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "same.txt").write_text(GRAMMAR)
    earlier = moved[0] / "kept" / moved[1].run_dir
    measured = run(
        "data.grammar=same.txt", "model=inherited", "stage=measure", f"init_from='{earlier}'"
    )
    assert RunDirectory(measured.run_dir).read_record().status == "finished"


def test_the_same_file_by_another_path_is_the_same_point(moved, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "other.txt").write_text(GRAMMAR)
    monkeypatch.chdir(tmp_path)
    by_path = composed((*SMALL, *MODEL, "data.grammar=a/other.txt"))
    assert by_path.run_id == moved[1].run_id
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "b")
    assert composed((*SMALL, *MODEL, "data.grammar=../a/other.txt")).run_id == moved[1].run_id


def test_a_file_with_another_content_is_another_point(moved, tmp_path):
    path = tmp_path / "other.txt"
    path.write_text(GRAMMAR.replace("3 1 | 1", "3 1 | 3"))
    words = (*SMALL, *MODEL, f"data.grammar={path}")
    changed = composed(words)
    assert changed.run_id != moved[1].run_id
    path.write_text(GRAMMAR)
    with pytest.raises(InputError, match="grammar=.*other.txt has changed; restore it, or give"):
        execute(changed, RunDirectory(tmp_path / "runs"))
    assert not (tmp_path / "runs" / "record.json").exists()


def test_a_copy_that_was_changed_is_not_used(moved, tmp_path):
    shutil.copytree(moved[0] / "kept" / moved[1].run_dir, tmp_path / "run")
    for copy in (tmp_path / "run" / "sources").iterdir():
        copy.write_text(GRAMMAR.replace("1 2", "2 1"))
    with pytest.raises(ValueError, match="has changed; restore it"):
        corpus_of(recorded(tmp_path / "run"))
