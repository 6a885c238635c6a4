"""The code of a scorer and its version: numbers never change without a new version."""

import ast
import hashlib
import importlib
import inspect
import json
import sys
from functools import cache
from pathlib import Path

import pytest

from physlm.registry import schemas
from tests.conftest import printed

UNMEASURING = {"physlm.eval.scorer", "physlm.analysis.figures", "physlm.analysis.attention_figure"}
SCORERS = {n: s for n, s in schemas("eval").items() if s.__module__.startswith("physlm.")}
TABLE = Path(__file__).with_name("scorers.json")


def versions():
    """Each scorer's version and a digest of the code that measures, without comments and checks."""
    found = {}
    for name, schema in sorted(SCORERS.items()):
        digest, seen = hashlib.sha256(), set()
        _digest(sys.modules[schema.__module__], digest, seen)
        found[name] = [schema.version, digest.hexdigest()[:16]]
    return found


def _digest(module, digest, seen):
    seen.add(module.__name__)
    code, imported = _measuring(module)
    digest.update(code)
    for name in imported:
        if name not in seen | UNMEASURING:
            _digest(importlib.import_module(name), digest, seen)


@cache
def _measuring(module):
    """The code of a module that measures, and what it imports; many scorers share a module."""
    tree = ast.parse(inspect.getsource(module))
    for node in list(ast.walk(tree)):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_silent(part)]
    imported = [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = ("physlm.eval.", "physlm.analysis.", "physlm.hybrid.")
    return ast.dump(tree).encode(), [name for name in imported if name.startswith(ours)]


def _is_silent(node):
    """What changes no number: docstrings, and what only refuses or draws."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    silent = {"check", "validate", "figures"}
    is_silent = isinstance(node, ast.FunctionDef) and node.name in silent
    return is_docstring or is_silent


HEAVY = ("torch", "numba", "matplotlib", "sklearn", "scipy", "polars", "lightning", "transformers")


def test_a_scorers_file_imports_nothing_that_computes():
    """Every command composes a configuration, hence imports the schemas of all scorers."""
    names = sorted({schema.__module__ for schema in SCORERS.values()})
    code = (
        f"import sys, {', '.join(names)}\nprint([name for name in {HEAVY} if name in sys.modules])"
    )
    assert printed(code) == "[]\n"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="trees differ between versions")
def test_a_scorer_whose_code_changes_gets_a_new_version_or_says_that_it_measures_the_same():
    assert versions() == json.loads(TABLE.read_text()), (
        "code that measures has changed; if the same model now gets other numbers, raise the "
        "scorer's `version`; then `python -m tests.test_scorer_versions` writes the table of "
        "digests anew"
    )


if __name__ == "__main__":
    TABLE.write_text(json.dumps(versions(), indent=2) + "\n")
