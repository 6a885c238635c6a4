"""The documents name only what exists, their code runs, and the front page has true numbers."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from physlm.config import config_dir

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
DOCUMENTS = sorted({*PAGES, *ROOT.glob("*.md"), *ROOT.glob("experiments/**/*.md")})


def name(path):
    return str(path.relative_to(ROOT))


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def with_blocks(language):
    return [path for path in PAGES if blocks(path, language)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_and_pictures_exist(path):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", path.read_text()):
        if not target.startswith("http"):
            found = path.parent / target if target else path
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), f"{target}#{anchor}"


def anchors(path):
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_commands_name_modules_options_and_make_targets_that_exist(path):
    text = path.read_text()
    for module in re.findall(r"python -m ((?:physlm|data_gen|benchmarks)[\w.]*)", text):
        parts = ROOT.joinpath(*module.split("."))
        assert parts.with_suffix(".py").exists() or (parts / "__main__.py").exists(), module
    for group in ("experiment", "sweeps", "architecture", "augmentation"):
        found = set(re.findall(rf"\+{group}=([a-z0-9_]+)(?![\w,*-])", text))
        assert found <= options_of(group), group
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= targets


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_name_worlds_models_and_scorers_that_exist(path):
    for group in ("data", "eval", "model"):
        found = set(re.findall(rf"(?<![\w.+]){group}=([a-z0-9_]+)(?![\w,*-])", path.read_text()))
        assert found <= options_of(group), group


def options_of(group):
    folder = config_dir().parent / "sweeps" if group == "sweeps" else config_dir() / group
    if folder.is_dir():
        return {path.stem for path in folder.glob("*.yaml")}
    return set(yaml.safe_load((config_dir() / f"{group}.yaml").read_text())["options"])


# What the code of a page shows, in its last lines.
SHOWN = {
    "docs/architectures.md": [
        "torch.Size([2, 100, 64])",
        "torch.Size([2, 100, 4, 16]) torch.Size([2, 4, 16, 16])",
    ],
    "docs/spectra.md": ["torch.Size([12, 8, 64])", "torch.Size([12, 8])"],
    "docs/hybrid.md": ["Ann Cole Document(number=1, title='Dan Fox', text='Dan Fox sings.')"],
}


@pytest.mark.parametrize("path", with_blocks("python"), ids=name)
def test_the_python_of_a_page_runs(path, capsys):
    names = {}
    for code in blocks(path, "python"):
        exec(code, names)
    shown = capsys.readouterr().out.splitlines()
    last = SHOWN.get(name(path), [])
    assert shown[len(shown) - len(last) :] == last
    if name(path) == "README.md":
        assert names["documents"].tokens[0] == names["corpus"].vocabulary.eos
    if name(path) == "docs/grammars.md":
        assert names["grammar"].accepts_batch(names["strings"]).all()
    if name(path) == "docs/igsm.md":
        assert shown[-2] == "True () ()"
        assert shown[-1].endswith("wrong answer: 22")


@pytest.mark.parametrize("path", with_blocks("py"), ids=name)
def test_python_that_needs_files_imports_what_exists(path):
    for code in blocks(path, "py"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("physlm"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, one.name) for one in node.names), node.module


def test_the_api_reference_names_what_exists():
    for path in ROOT.glob("docs/api/*.md"):
        for found in re.findall(r"^::: ([\w.]+)$", path.read_text(), re.MULTILINE):
            module, _, thing = found.rpartition(".")
            parent = importlib.import_module(module)
            assert hasattr(parent, thing) or importlib.import_module(found), found


def test_the_readme_fits_and_its_results_are_those_of_the_ledger():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 200
    ledger = (ROOT / "experiments/README.md").read_text().splitlines()
    (first,) = (number for number, line in enumerate(lines) if line.startswith("| subject |"))
    rows = [line.split(" | ") for line in lines[first + 2 :]]
    rows = rows[: next(number for number, row in enumerate(rows) if len(row) == 1)]
    for subject in ("inverse search", "int8", "Canon", "grade-school", "logit lens", "spectra"):
        assert any(subject in row[0] and "arxiv.org/abs/" in row[2] for row in rows), subject
    decided = [row for row in rows if "not here yet" not in row[-2]]
    assert len(decided) >= 12
    for *_, here, verdict in decided:
        folder = re.search(r"\]\(experiments/(\w+)/", here)[1]
        own = (ROOT / "experiments" / folder / "README.md").read_text().splitlines()
        numbers = re.findall(r"-?\d+\.\d+", here)
        places = [*own, *(line for line in ledger if f"]({folder}/" in line)]
        assert any(
            all(number in line for number in numbers) and verdict.rstrip(" |") in line
            for line in places
        ), here


def test_the_readme_says_that_igsm_is_missing_as_long_as_it_is():
    papers = [
        yaml.safe_load((path.parent / "experiment.yaml").read_text())["source"]["paper"]
        for path in ROOT.glob("experiments/*/README.md")
    ]
    (row,) = (x for x in (ROOT / "README.md").read_text().splitlines() if x.startswith("| iGSM"))
    assert ("not here yet" in row) == (not {"Part 2.1", "Part 2.2"} & {*papers})


def test_every_dependency_is_pinned():
    lock = (ROOT / "constraints.txt").read_text()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lock.splitlines()}
    project = (ROOT / "pyproject.toml").read_text()
    listed = re.findall(r'^  "([A-Za-z0-9_-]+)>=', project, re.MULTILINE)
    assert {name.lower().replace("_", "-") for name in listed} <= pinned
    assert "torch==2.13.0" in lock.splitlines()


def test_the_page_on_options_lists_every_group_and_every_option():
    text = (ROOT / "docs/configuration.md").read_text()
    folders = {path.name for path in config_dir().iterdir() if path.is_dir()} - {"base"}
    groups = {x.stem for x in config_dir().glob("*.yaml") if "\noptions:" in x.read_text()}
    assert first_cells(text, "| group | options |") == groups | folders | {"data/target", "sweeps"}
    for group, heading in {
        "data": "| `data=` | world |",
        "eval": "| `eval=` | measures |",
        "augmentation": "| `+augmentation=` | texts of each person |",
    }.items():
        assert first_cells(text, heading) == options_of(group) - {"target"}, group
    models = {re.sub(r"gpt2-\d+-\d+", "gpt2-L-H", option) for option in options_of("model")}
    assert first_cells(text, "| `model=` | model |") == models


def first_cells(text, heading):
    """What stands in backticks in the first column of the table with this heading."""
    rows = text.split(heading)[1].split("\n\n")[0].splitlines()
    return set(re.findall(r"`([\w/-]+)`", " ".join(row.split("|")[1] for row in rows if row)))


def test_every_page_of_docs_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text()
    for path in ROOT.glob("docs/**/*.md"):
        assert f" {path.relative_to(ROOT / 'docs')}\n" in text, path


def test_contributing_lists_the_layers_that_import_linter_enforces():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers")
    text = (ROOT / "CONTRIBUTING.md").read_text().replace("\n", " ")
    assert " > ".join(f"`{layer.replace('physlm.', '')}`" for layer in layers) in text


def test_contributing_names_paths_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    placeholders = ("NAME", "GROUP", "...", "build/")  # what is built is not there before
    for path in re.findall(r"`([a-z_]+/[\w/.]*)`", text):
        if not any(word in path for word in placeholders):
            assert (ROOT / path).exists() or (ROOT / "physlm" / path).exists(), path
