"""The documents name only what exists."""

import re
import tomllib
from pathlib import Path

import pytest

from physlm.config import config_dir

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("experiments/**/*.md")])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_pictures_exist(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_name_experiments_sweeps_and_make_targets_that_exist(path):
    text = path.read_text()
    for group in ("experiment", "sweeps"):
        folder = config_dir().parent / "sweeps" if group == "sweeps" else config_dir() / group
        for name in re.findall(rf"\+{group}=([a-z0-9_]+)", text):
            assert (folder / f"{name}.yaml").exists(), name
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= targets


def test_the_readmes_python_runs():
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for code in blocks:
        exec(code, names)
    assert names["documents"].tokens[0] == names["corpus"].vocabulary.eos
    assert names["grammar"].accepts_batch(names["strings"]).all()


def test_the_python_on_architectures_runs(capsys):
    text = (ROOT / "docs/architectures.md").read_text()
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, {})
    shapes = capsys.readouterr().out.splitlines()[-2:]
    assert shapes[0] == "torch.Size([2, 100, 64])"
    assert shapes[1] == "torch.Size([2, 100, 4, 16]) torch.Size([2, 4, 16, 16])"


def test_the_python_on_igsm_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/igsm.md").read_text(), re.DOTALL)
    exec(code, {})
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2] == "True () ()"
    assert shown[-1].endswith("wrong answer: 22")


def test_every_dependency_is_pinned():
    lock = (ROOT / "constraints.txt").read_text()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lock.splitlines()}
    project = (ROOT / "pyproject.toml").read_text()
    listed = re.findall(r'^  "([A-Za-z0-9_-]+)>=', project, re.MULTILINE)
    assert {name.lower().replace("_", "-") for name in listed} <= pinned
    assert "torch==2.13.0" in lock.splitlines()


def test_readme_lists_every_configuration_group():
    options = {
        path.stem for path in config_dir().glob("*.yaml") if "\noptions:" in path.read_text()
    }
    folders = {path.name for path in config_dir().iterdir() if path.is_dir()} - {"base"}
    table = (ROOT / "README.md").read_text().split("| group | options |")[1].split("\n\n")[0]
    first_cells = " ".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))
    listed = set(re.findall(r"`([a-z_/]+)`", first_cells))
    assert listed == options | folders | {"data/target", "sweeps"}


def test_contributing_lists_the_layers_that_import_linter_enforces():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers")
    text = (ROOT / "CONTRIBUTING.md").read_text().replace("\n", " ")
    assert " > ".join(f"`{layer.replace('physlm.', '')}`" for layer in layers) in text


def test_contributing_names_paths_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    placeholders = ("NAME", "GROUP", "...")
    for path in re.findall(r"`([a-z_]+/[\w/.]*)`", text):
        if not any(word in path for word in placeholders):
            assert (ROOT / path).exists() or (ROOT / "physlm" / path).exists(), path
