"""The reference of all options, and of all runs by name, from the YAML files and their comments."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from keys import escaped, plain

from physlm.config import config_dir


def pages() -> dict[str, str]:
    """The text of each page, by its path within the site."""
    return {"reference/options.md": _options(), "reference/experiments.md": _experiments()}


def _options() -> str:
    """Every group with its options: the comment of each, and the values that it sets."""
    folder = config_dir()
    groups = {
        path.stem: _options_of_file(path)
        for path in folder.glob("*.yaml")
        if "\noptions:" in path.read_text(encoding="utf-8")
    }
    groups |= {name: _options_of_folder(folder / name) for name in ("data", "eval")}
    about = (
        "Options are chosen by `GROUP=NAME`, with `+` before groups that have no default. "
        "An option that consists of others lists them first."
    )
    parts = [f"## {name}\n\n{_options_table(groups[name])}" for name in sorted(groups)]
    return "\n\n".join(["# Options", about, *parts]) + "\n"


def _experiments() -> str:
    """Every experiment and sweep that can be run by name."""
    folder = config_dir()
    about = (
        "Runs by `+experiment=NAME`, and grids of runs by `+sweeps=NAME`. Those with claims and "
        "results are in [the ledger](../experiments/README.md)."
    )
    places = {"experiment": folder / "experiment", "sweeps": folder.parent / "sweeps"}
    parts = [f"## {name}\n\n{_options_table(_about(path))}" for name, path in places.items()]
    return "\n\n".join(["# Runs by name", about, *parts]) + "\n"


def _about(folder: Path) -> dict[str, tuple[str, str]]:
    """The options of a folder without their values."""
    return {name: (text, "") for name, (text, _) in _options_of_folder(folder).items()}


def _options_table(rows: Mapping[str, tuple[str, str]]) -> str:
    """A table of options, whose third column is left out if no option has any values."""
    width = 3 if any(values for _, values in rows.values()) else 2
    table = [("option", "meaning", "sets"), ("---",) * 3]
    table += [(f"`{name}`", text, values) for name, (text, values) in rows.items()]
    return "\n".join(f"| {' | '.join(map(escaped, row[:width]))} |" for row in table)


def _options_of_folder(folder: Path) -> dict[str, tuple[str, str]]:
    """The files of a folder, with the comment at the top of each and its values."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}
    return {
        name: (" ".join(_comment(text.splitlines(), "# ")), _values(yaml.safe_load(text)))
        for name, text in texts.items()
    }


def _options_of_file(path: Path) -> dict[str, tuple[str, str]]:
    """The options in the file of a group: comments beside, above or below each, and its values."""
    text = path.read_text(encoding="utf-8")
    lines, content = text.splitlines(), yaml.safe_load(text)["options"]
    found = {}
    for number, line in enumerate(lines):
        if option := re.match(r"  ([\w-]+):", line):
            beside = re.search(r"  # (.*)$", line)
            below = _comment(lines[number + 1 :], "    # ")
            above = _comment(lines[number - 1 :: -1], "  # ")[::-1]
            comment = beside[1] if beside else " ".join(below or above)
            found[option[1]] = comment, _values(content[option[1]])
    return found


def _values(content: Mapping[str, Any] | list[str] | None) -> str:
    """What an option sets: other options that it is made of, and keys with values."""
    if not isinstance(content, Mapping):
        return ", ".join(f"`{one}`" for one in content or ())
    made_of = [
        one if isinstance(one, str) else " ".join(_joined(one))
        for one in content.get("defaults", ())
        if one != "_self_" and "schema" not in str(one)
    ]
    own = _joined({name: value for name, value in content.items() if name != "defaults"})
    return ", ".join(f"`{word}`" for word in (*made_of, *own))


def _joined(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Nested values as ``key.name=value``."""
    for name, value in values.items():
        key = f"{prefix}{name}".removeprefix("/").replace("@_global_", "")
        if isinstance(value, Mapping):
            yield from _joined(value, f"{key}.")
        else:
            yield f"{key}={plain(value)}"


def _comment(lines: Sequence[str], mark: str) -> list[str]:
    """The lines of the comment that begins at the first of some lines, without Hydra's headers."""
    found = takewhile(lambda line: line.startswith(mark), lines)
    return [line.removeprefix(mark) for line in found if "@package" not in line]
