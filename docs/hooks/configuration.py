"""The reference of the configuration, from the schemas and the comments in `conf/`."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from enum import Enum
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from physlm.config import RunConfig, config_dir
from physlm.config.descriptions import descriptions
from physlm.models.canon_config import CanonConfig
from physlm.registry import schemas
from physlm.schema import Schema
from physlm.train.logger import LoggerConfig
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig

HEADER = "| key | type | default | meaning |\n| --- | --- | --- | --- |"

# Title, address and first paragraph of each page about schemas.
TITLES = {
    "run": ("Runs", "The keys of a run that are not in a group of their own."),
    "data": ("Worlds", "The keys of each `data=NAME`, below `data.`."),
    "model": ("Models", "The keys of each `model=NAME`, below `model.`."),
    "eval": ("Scorers", "The keys of each `eval=NAME`, below `eval.NAME.`."),
}


def navigation() -> list[dict[str, str]]:
    """The pages, by title."""
    schemas_of = [{title: f"reference/{name}.md"} for name, (title, _) in TITLES.items()]
    return [*schemas_of, {"Options": "reference/options.md"}, {"Runs by name": EXPERIMENTS}]


EXPERIMENTS = "reference/experiments.md"


def contents() -> str:
    """A line of links to the pages, for pages at the root of the site."""
    named = [next(iter(entry.items())) for entry in navigation()]
    return f"The reference: {', '.join(f'[{title}]({uri})' for title, uri in named)}."


def pages() -> dict[str, str]:
    """The text of each page, by its path within the site."""
    sections = {
        "run": _run(),
        "data": _group("data"),
        "model": [*_group("model"), *_parts()],
        "eval": _group("eval"),
    }
    texts = {
        f"reference/{name}.md": "\n\n".join([f"# {title}", about, *sections[name]]) + "\n"
        for name, (title, about) in TITLES.items()
    }
    return texts | {"reference/options.md": _options(), EXPERIMENTS: _experiments()}


def _run() -> list[str]:
    sections = {
        "optim": OptimConfig,
        "trainer": TrainerConfig,
        "runtime": RuntimeConfig,
        "logger": LoggerConfig,
    }
    own = _table(RunConfig, without={*sections, "data", "model", "eval", "parent"})
    return [own, *(_section(name, kind, f"{name}.") for name, kind in sections.items())]


def _group(group: str) -> list[str]:
    """A section for each schema of a group."""
    return [
        _section(name, kind, f"eval.{name}." if group == "eval" else f"{group}.")
        for name, kind in schemas(group).items()
    ]


def _parts() -> list[str]:
    """The parts of decoders that are schemas of their own."""
    named = {f"mixer: {name}": (kind, "mixer") for name, kind in schemas("mixer").items()}
    named |= {f"penalty: {name}": (kind, "penalty") for name, kind in schemas("penalty").items()}
    named["canon"] = (CanonConfig, "canon")
    return [_section(name, kind, f"model.{key}.") for name, (kind, key) in named.items()]


def _section(name: str, kind: type[Schema], prefix: str) -> str:
    about = re.split(r"\n\n(?:Attributes|Args):", inspect.getdoc(kind) or "")[0]
    about = about.replace("``", "`").replace("Source:\n    ", "Source: ")
    return f"## {name}\n\n{about}\n\n{_table(kind, prefix)}"


def _table(kind: type[Schema], prefix: str = "", without: set[str] = frozenset()) -> str:
    rows = [row for row in _rows(kind, prefix) if row[0].split(".")[0] not in without]
    if not rows:
        return "No keys."
    return "\n".join([HEADER, *(f"| {' | '.join(map(_escaped, _shown(*row)))} |" for row in rows)])


def _rows(kind: type[Schema], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    """Key, type, default and meaning of every field; nested schemas give theirs."""
    hints, told = get_type_hints(kind), descriptions(kind)
    for field in fields(kind):
        hint = hints[field.name]
        key = f"{prefix}{field.name}"
        nested = _nested(hint)
        if nested is None or field.default is None:
            yield key, _type(hint), _default(field), told[field.name]
        else:
            yield from _rows(nested, f"{key}.")


def _nested(hint: Any) -> type[Schema] | None:
    """The one concrete schema of a field, if that is its type."""
    is_schema = isinstance(hint, type) and issubclass(hint, Schema)
    return hint if is_schema and not inspect.isabstract(hint) else None


def _type(hint: Any) -> str:
    """An annotation as a user reads it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (list, dict):
        inner = _type(arguments[-1])
        return f"list of {inner}" if origin is list else f"name to {inner}"
    if arguments:
        return " or ".join("null" if one is type(None) else _type(one) for one in arguments)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(f"`{member.value}`" for member in hint)
    words = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return words.get(hint, "any" if hint is Any else hint.__name__)


def _default(field: Field[Any]) -> str:
    if field.default_factory is not MISSING:
        value = field.default_factory()
    elif field.default is MISSING or field.default == "???":
        return "must be set"
    else:
        value = field.default
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    """A value as a command line has it."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_plain(one)}' for key, one in value.items())}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) or '""'


def _shown(key: str, kind: str, default: str, meaning: str) -> tuple[str, ...]:
    return f"`{key}`", kind, default, meaning


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|").replace("``", "`")


def _options() -> str:
    """Every group with its options: the comment of each, and the values that it sets."""
    folder = config_dir()
    tables = [
        (path.stem, _options_of_file(path))
        for path in sorted(folder.glob("*.yaml"))
        if "\noptions:" in path.read_text(encoding="utf-8")
    ]
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        if path.name not in ("base", "experiment"):
            tables.append((path.name, _options_of_folder(path)))
    about = (
        "Options are chosen by `GROUP=NAME`, with `+` before groups that have no default. An option that "
        "is made of others begins with them."
    )
    parts = [f"# Options\n\n{about}"]
    parts += [f"## {name}\n\n{_options_table(rows)}" for name, rows in sorted(tables)]
    return "\n\n".join(parts) + "\n"


def _experiments() -> str:
    """Every experiment and sweep that can be run by name."""
    folder = config_dir()
    about = (
        "Runs by `+experiment=NAME`, and grids of runs by `+sweeps=NAME`, with the comments of their "
        "files. Those with claims and results are in [the ledger](../experiments/README.md)."
    )
    parts = [f"# Runs by name\n\n{about}"]
    for name, path in {"experiment": folder / "experiment", "sweeps": folder.parent / "sweeps"}.items():
        rows = {option: (text, "") for option, (text, _) in _options_of_folder(path).items()}
        parts.append(f"## {name}\n\n{_options_table(rows)}")
    return "\n\n".join(parts) + "\n"


def _options_table(rows: Mapping[str, tuple[str, str]]) -> str:
    """A table of options, whose third column is left out if no option has any values."""
    width = 3 if any(values for _, values in rows.values()) else 2
    table = [("option", "meaning", "sets"), ("---",) * 3]
    table += [(f"`{name}`", text, values) for name, (text, values) in rows.items()]
    return "\n".join(f"| {' | '.join(map(_escaped, row[:width]))} |" for row in table)


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
    words = []
    for one in content.get("defaults", ()):
        if one != "_self_" and "schema" not in str(one):
            words.append(one if isinstance(one, str) else " ".join(_joined(one)))
    words += _joined({name: value for name, value in content.items() if name != "defaults"})
    return ", ".join(f"`{word}`" for word in words)


def _joined(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Nested values as ``key.name=value``."""
    found = []
    for name, value in values.items():
        key = f"{prefix}{name}".removeprefix("/").replace("@_global_", "").replace("@_here_", "")
        found += _joined(value, f"{key}.") if isinstance(value, dict) else [f"{key}={_plain(value)}"]
    return found


def _comment(lines: Sequence[str], mark: str) -> list[str]:
    """The lines of the comment that begins at the first of some lines, without Hydra's headers."""
    found = takewhile(lambda line: line.startswith(mark), lines)
    return [line.removeprefix(mark) for line in found if "@package" not in line]
