"""The rows of curves are read whole, and a corrupt line is named."""

import json

import pytest

from physlm.errors import InputError
from physlm.run_directory import read_curves

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
