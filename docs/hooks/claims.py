"""Tables of claims and the list of experiments, from the committed files of each experiment."""

import re
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import yaml

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"

_PLACE = re.compile(r"<!-- claims of (.+?) -->")
_ROW = re.compile(r"^\| `([\w.-]+)`: (.+?) \| (.+?) \| (.+?) \| .+? \| (\*\*.+?\*\*).* \|$", re.M)
_RULE = re.compile(r"^\| `([\w.-]+)` \|.*\| (`[^`|]+`) \|$", re.M)


class Experiment(NamedTuple):
    """A folder with results.

    Attributes:
        name: Its name.
        title: What is varied, or asked.
        paper: The paper, as in the ledger.
        text: Its README.
    """

    name: str
    title: str
    paper: str
    text: str


def navigation() -> list[Any]:
    """The experiments with results, by paper."""
    return [
        {paper: [{one.title: f"experiments/{one.name}/README.md"} for one in group]}
        for paper, group in groupby(experiments(), key=lambda one: one.paper)
    ]


def with_tables(markdown: str) -> str:
    """A page with the claims of a paper in place of ``<!-- claims of PAPER -->``."""
    return _PLACE.sub(lambda place: _tables(place[1]), markdown)


def experiments() -> list[Experiment]:
    """The experiments that have a README, by paper and name."""
    folders = [path.parent for path in EXPERIMENTS.glob("*/README.md")]
    return sorted(map(_read, folders), key=lambda one: (one.paper, one.name))


def _read(folder: Path) -> Experiment:
    about = yaml.safe_load((folder / "experiment.yaml").read_text(encoding="utf-8"))
    text = (folder / "README.md").read_text(encoding="utf-8")
    return Experiment(folder.name, about["title"], about["source"]["paper"], text)


def _tables(paper: str) -> str:
    """One table for each experiment of a paper: every claim with its command and its verdict."""
    found = [one for one in experiments() if one.paper == paper]
    return "\n".join(map(_table, found)) or "No experiment of this paper has results yet.\n"


def _table(one: Experiment) -> str:
    commands = dict(_RULE.findall(one.text))
    rows = [
        f"| {statement} | {paper} | {here} | {verdict} | {commands[name]} |"
        for name, statement, paper, here, verdict in _ROW.findall(one.text)
    ]
    heading = f"### {one.title}\n\n[{one.name}](../experiments/{one.name}/README.md)\n"
    return "\n".join(
        [heading, "| claim | paper | here | verdict | command |", "| --- " * 5 + "|", *rows, ""]
    )
