"""The documents say only what is there."""

import re
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


def test_every_dependency_is_pinned():
    lock = (ROOT / "constraints.txt").read_text()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lock.splitlines()}
    project = (ROOT / "pyproject.toml").read_text()
    listed = re.findall(r'^  "([A-Za-z0-9_-]+)>=', project, re.MULTILINE)
    assert {name.lower().replace("_", "-") for name in listed} <= pinned
    assert "torch==2.13.0" in lock.splitlines()
