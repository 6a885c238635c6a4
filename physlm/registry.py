"""Registry of the schemas of worlds, models, their parts and scorers, loaded on demand."""

import importlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from physlm.errors import InputError
from physlm.schema import Schema

T = TypeVar("T", bound=type[Schema])

# The groups that have schemas, and the folders of physlm with the schemas of each.
FOLDERS = {
    "data": ("data",),
    "model": ("models",),
    "mixer": ("models",),
    "penalty": ("models", "analysis"),
    "eval": ("eval", "analysis", "hybrid"),
}

_DECORATOR = re.compile(r'^@register\("(\w+)", "(\w+)"\)$', re.MULTILINE)

_registered: dict[tuple[str, str], type[Schema]] = {}
_tags: dict[type[Schema], str] = {}


def register(group: str, name: str) -> Callable[[T], T]:
    """Register a schema, for ``/schema/GROUP/NAME`` in the defaults of a YAML file.

    Written ``@register("data", "coins")`` on a line above ``@dataclass``, in a module of physlm, or
    in any script that calls `physlm.run.main` or `physlm.run`. There ``data=coins`` needs no file.

    Raises:
        InputError: If the group is unknown, or another schema has the name.
    """
    if group not in FOLDERS:
        raise InputError(
            f"register({group!r}, {name!r}): unknown group; one of {', '.join(FOLDERS)}"
        )

    def registered(schema: T) -> T:
        holder = _registered.get((group, name))
        taken = _modules().get((group, name)) if holder is None else holder.__module__
        if taken not in (None, schema.__module__):
            raise InputError(
                f"{schema.__module__} registers {group}/{name}, which {taken} registers already; "
                "choose another name"
            )
        _registered[group, name] = schema
        _tags[schema] = f"{group}/{name}"
        return schema

    return registered


def schema_of(group: str, name: str) -> type[Schema]:
    """The schema of a name, whose module is imported if necessary.

    Raises:
        InputError: If the name is unknown.
    """
    if name not in names(group):
        raise InputError(f"no schema {group}/{name}; one of {', '.join(names(group))}")
    if (group, name) not in _registered:
        importlib.import_module(_modules()[group, name])
    return _registered[group, name]


def tag_of(schema: type[Schema]) -> str:
    """The tag of a schema in run ids and records, as ``data/bios``, independent of its class name.

    Raises:
        InputError: If it is not registered.
    """
    if schema not in _tags:
        raise InputError(
            f"{schema.__module__}.{schema.__qualname__} is not registered; write "
            '@register("GROUP", "NAME") above its @dataclass'
        )
    return _tags[schema]


def names(group: str) -> list[str]:
    """The names of a group's schemas, including those registered by scripts."""
    return sorted(name for known, name in {**_modules(), **_registered} if known == group)


def schemas(group: str) -> dict[str, type[Schema]]:
    """All schemas of a group, whose modules are imported."""
    return {name: schema_of(group, name) for name in names(group)}


def schemas_of_scripts() -> dict[tuple[str, str], type[Schema]]:
    """The schemas registered outside physlm, by group and name."""
    return {key: schema for key, schema in _registered.items() if key not in _modules()}


@cache
def _modules() -> dict[tuple[str, str], str]:
    """The module of every schema of physlm, found in the sources, since importing takes seconds.

    Raises:
        InputError: If two have the same name.
    """
    found: dict[tuple[str, str], str] = {}
    for module, text in _sources():
        for group, name in _DECORATOR.findall(text):
            if (group, name) in found:
                raise InputError(
                    f"{module} registers {group}/{name}, which {found[group, name]} registers "
                    "already; choose another name"
                )
            found[group, name] = module
    return found


def _sources() -> Iterator[tuple[str, str]]:
    root = Path(__file__).resolve().parent
    for folder in {folder: None for folders in FOLDERS.values() for folder in folders}:
        for path in sorted((root / folder).rglob("*.py")):
            parts = (root.name, *path.relative_to(root).with_suffix("").parts)
            yield ".".join(parts), path.read_text(encoding="utf-8")
