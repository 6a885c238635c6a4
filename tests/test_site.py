"""The generated pages of the site have every key, every option and every claim."""

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from physlm.config import config_dir
from physlm.registry import schemas
from physlm.report.experiment import read_experiment
from physlm.report.ledger import PAPERS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def hooks():
    """The modules that generate pages, which import each other as mkdocs lets them."""
    sys.path.insert(0, str(ROOT / "docs/hooks"))
    import claims
    import keys
    import options

    sys.path.remove(str(ROOT / "docs/hooks"))
    return {"claims": claims, "keys": keys, "options": options}


def test_the_reference_has_every_key_of_every_world_model_and_scorer(hooks):
    pages = hooks["keys"].pages()
    for group in ("data", "model", "eval"):
        sections = pages[f"reference/{group}.md"].split("\n## ")
        for name, schema in schemas(group).items():
            (section,) = (text for text in sections if text.startswith(f"{name}\n"))
            prefix = f"eval.{name}" if group == "eval" else group
            for field in fields(schema):
                assert f"| `{prefix}.{field.name}" in section, f"{name}.{field.name}"
    assert "| `trainer.batch_size` | whole number | `96` | windows per" in pages["reference/run.md"]
    assert "`runtime.n_devices` | whole number | `1` |" in pages["reference/run.md"]
    assert "`trainer.gradient_clip` | number or null | `1.0` |" in pages["reference/run.md"]


def test_the_reference_has_every_option_with_what_it_sets(hooks):
    pages = hooks["options"].pages()
    for path in config_dir().glob("experiment/*.yaml"):
        assert f"| `{path.stem}` |" in pages["reference/experiments.md"]
    assert (
        "| `rope_canon` |  | `rope`, `canon=abcd`, `label=rope_canon` |"
        in pages["reference/options.md"]
    )
    assert "| `twentieth` | One of twenty tokens is about" in pages["reference/options.md"]


def test_the_page_of_claims_has_every_claim_with_its_command(hooks):
    page = (ROOT / "docs/claims.md").read_text()
    assert set(re.findall(r"<!-- claims of (.+?) -->", page)) == set(PAPERS)
    text = hooks["claims"].with_tables(page)
    for one in hooks["claims"].experiments():
        for claim in read_experiment(ROOT / "experiments" / one.name).claims:
            rows = [line for line in text.splitlines() if line.startswith(f"| {claim.statement} |")]
            assert any(line.endswith(f"| `{claim.command}` |") for line in rows), claim.id
            assert all("**" in row for row in rows)
