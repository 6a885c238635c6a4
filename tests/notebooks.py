"""The notebooks of examples/, executed in place by `python -m tests.notebooks [NAME ...]`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
_SECONDS = 1800  # of a cell, on however busy a machine


def executed(path: Path, folder: Path) -> NotebookNode:
    """A notebook with the outputs of a new kernel, whose working directory is a folder.

    What libraries write on standard error is left out: it depends on the machine.

    Raises:
        CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=_SECONDS, resources=where, record_timing=False).execute()
    notebook.metadata.language_info = {"name": "python"}  # no version, so that it stays as it is
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def main(names: list[str]) -> None:
    """Execute notebooks in place, all of them if none is named."""
    for path in [EXAMPLES / f"{name}.ipynb" for name in names] or NOTEBOOKS:
        with TemporaryDirectory() as folder:
            nbformat.write(executed(path, Path(folder)), path)
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
