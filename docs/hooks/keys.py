"""The reference of all keys: type, default and meaning, from the schemas and their comments."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from physlm.config import RunConfig
from physlm.config.descriptions import descriptions
from physlm.models.canon_config import CanonConfig
from physlm.registry import schemas
from physlm.schema import Schema
from physlm.train.logger import LoggerConfig
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig

HEADER = "| key | type | default | meaning |\n| --- | --- | --- | --- |"

# Title and first paragraph of each page.
TITLES = {
    "run": ("Runs", "The keys of a run that are not in a group of their own."),
    "data": ("Worlds", "The keys of each `data=NAME`, below `data.`."),
    "model": ("Models", "The keys of each `model=NAME`, below `model.`."),
    "eval": ("Scorers", "The keys of each `eval=NAME`, below `eval.NAME.`."),
}


def pages() -> dict[str, str]:
    """The text of each page, by its path within the site."""
    sections = {
        "run": _run(),
        "data": _group("data"),
        "model": [*_group("model"), *_parts()],
        "eval": _group("eval"),
    }
    return {
        f"reference/{name}.md": "\n\n".join([f"# {title}", about, *sections[name]]) + "\n"
        for name, (title, about) in TITLES.items()
    }


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
    return "\n".join([HEADER, *(f"| {' | '.join(map(escaped, _shown(*row)))} |" for row in rows)])


def _rows(kind: type[Schema], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    """Key, type, default and meaning of every field; nested schemas contribute their own."""
    hints, meanings = get_type_hints(kind), descriptions(kind)
    for field in fields(kind):
        hint = hints[field.name]
        key = f"{prefix}{field.name}"
        nested = _nested(hint)
        if nested is None or field.default is None:
            yield key, _type(hint), _default(field), meanings[field.name]
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
    words = {bool: "true or false", int: "whole number", float: "number", str: "text", Any: "any"}
    return words.get(hint, "section")


def _default(field: Field[Any]) -> str:
    if field.default_factory is not MISSING:
        value = field.default_factory()
    elif field.default is MISSING or field.default == "???":
        return "must be set"
    else:
        value = field.default
    return f"`{plain(value)}`"


def plain(value: Any) -> str:
    """A value as a command line has it."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(plain, value))}]"
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {plain(one)}' for key, one in value.items())}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) or '""'


def _shown(key: str, kind: str, default: str, meaning: str) -> tuple[str, ...]:
    return f"`{key}`", kind, default, meaning


def escaped(cell: str) -> str:
    """A cell of a table, with code as Markdown has it."""
    return cell.replace("|", r"\|").replace("``", "`")
