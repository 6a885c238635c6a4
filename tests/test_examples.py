"""The notebooks of examples/ are whole, and run."""

import json

import nbformat
import pytest

from tests.notebooks import NOTEBOOKS, executed

MOST_BYTES = 300_000
NAMES = [
    "a_published_model",
    "capacity_in_five_minutes",
    "looking_inside",
    "your_own_grammar",
    "your_own_world_and_scorer",
]
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def has_frame(notebook):
    shown = [output.data for output in outputs(notebook) if output.output_type == "execute_result"]
    return any(data.get("text/plain", "").startswith("shape: (") for data in shown)


def test_there_are_five():
    assert [path.stem for path in NOTEBOOKS] == NAMES


@each
def test_a_notebook_is_valid_explained_and_executed_in_order(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    cells = code_cells(notebook)
    assert 4 <= len(cells) <= 12
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert has_frame(notebook)
    assert not [output for output in outputs(notebook) if output.output_type == "error"]


@each
def test_a_notebook_is_small_and_of_no_machine(path):
    text = path.read_text()
    assert len(text.encode()) < MOST_BYTES
    for folder in ("/home", "/root", "/tmp", "/work", "/Users", "/usr", "site-packages"):
        assert folder not in text, folder
    assert "stderr" not in {output.get("name") for output in outputs(nbformat.reads(text, 4))}
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@each
def test_a_notebook_runs_from_a_clean_folder(path, tmp_path):
    kept = path.read_bytes()
    notebook = executed(path, tmp_path)  # raises if a cell fails
    assert has_frame(notebook)
    assert path.read_bytes() == kept
    assert {found.name for found in tmp_path.iterdir()} <= {"runs"}
