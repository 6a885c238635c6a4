"""Tables of claims and the list of experiments, from the committed files of each experiment."""

import re
from functools import cache
from itertools import groupby
from typing import Any

from physlm.report.experiment import Experiment, experiments_folder, read_experiment
from physlm.report.tables import markdown_rows

_PLACE = re.compile(r"<!-- claims of (.+?) -->")
_ROW = re.compile(r"^\| `([\w.-]+)`: .+? \| .+? \| (.+?) \| .+? \| (\*\*.+?\*\*).* \|$", re.M)


def navigation() -> list[Any]:
    """The experiments, by paper."""
    return [
        {paper: [{one.title: f"experiments/{one.name}/README.md"} for one in group]}
        for paper, group in groupby(experiments(), key=lambda one: one.source.paper)
    ]


def with_tables(markdown: str) -> str:
    """A page with the claims of a paper in place of ``<!-- claims of PAPER -->``."""
    return _PLACE.sub(lambda place: _tables(place[1]), markdown)


@cache
def experiments() -> tuple[Experiment, ...]:
    """The experiments, by paper and name."""
    folders = [path.parent for path in experiments_folder().glob("*/README.md")]
    found = [read_experiment(folder) for folder in folders]
    return tuple(sorted(found, key=lambda one: (one.source.paper, one.name)))


def _tables(paper: str) -> str:
    """One table for each experiment of a paper."""
    found = [one for one in experiments() if one.source.paper == paper]
    return "\n".join(map(_table, found)) or "There is no experiment of this paper yet.\n"


def _table(one: Experiment) -> str:
    """Every claim of an experiment, with its command, and the result that its README has."""
    text = (experiments_folder() / one.name / "README.md").read_text(encoding="utf-8")
    results = {name: (here, verdict) for name, here, verdict in _ROW.findall(text)}
    rows = [
        (claim.statement, claim.published, *results[claim.id], f"`{claim.command}`")
        for claim in one.claims
    ]
    table = markdown_rows(("claim", "paper", "here", "verdict", "command"), rows)
    link = f"[{one.name}](../experiments/{one.name}/README.md)"
    return f"### {one.title}\n\n{one.source.result}: {link}\n\n{table}"
