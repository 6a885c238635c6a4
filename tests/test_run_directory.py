"""The rows of curves are read whole, and a corrupt line is named."""

import json

import pytest

from physlm.errors import InputError
from physlm.run_directory import RunDirectory, read_curves

ROWS = [{"step": i, "train/loss_nats": 3.0 / (i + 1)} for i in range(3)]
LINES = [json.dumps(row) for row in ROWS]


def test_rows_read_back_as_written(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    assert read_curves(path) == ROWS


def test_a_last_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join([*LINES[:2], LINES[2][:9]]))
    assert read_curves(path) == ROWS[:2]


@pytest.mark.parametrize("line", ["{", "", "3", '{"loss": 1.0}', f"{LINES[0]},{LINES[0]}"], ids=str)
def test_any_other_faulty_line_is_named(line, tmp_path):
    """The last has two rows in one line, which a list of all lines could hold."""
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join([LINES[0], line, LINES[2]]))
    with pytest.raises(InputError, match="line 2 is corrupt"):
        read_curves(path)


@pytest.mark.parametrize(
    "line",
    [
        b'{"step": 1, "train/loss_nats": "caf\xe9"}',
        b'{"step": 1, "train/loss_nats": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"step": 1, "train/loss_nats": "low"}',
        b'{"step": "1", "train/loss_nats": 2.0}',
    ],
    ids=["bytes", "digits", "depth", "text", "step"],
)
def test_a_line_without_numbers_is_named(line, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"\n".join([LINES[0].encode(), line, LINES[2].encode()]))
    with pytest.raises(InputError, match="line 2 is corrupt"):
        read_curves(path)


def test_what_killed_processes_left_is_removed_by_the_next_one(tmp_path):
    left = [".record.json.123.tmp", "sources/.a.txt.9.tmp"]
    others = ["record.json", ".hidden.tmp", "lens/params.safetensors"]
    for name in (*left, *others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    with RunDirectory(tmp_path).locked():
        found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert found == {*others, "lock", "sources", "lens"}


def test_a_folder_that_cannot_be_written_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"file/run cannot be written \(.*by runs_dir"),
        RunDirectory(tmp_path / "file" / "run").locked(),
    ):
        pass
