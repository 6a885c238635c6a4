"""What of a configuration names a run, so that the names of earlier runs stay as they are."""

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

LATER = {"later": True}


def identity(config: Any) -> Any:
    """Plain values of all that decides the result.

    A field that a schema got after its first results, ``field(default=..., metadata=LATER)``, is
    left out where it has its default: runs from before it keep their names.
    """
    if is_dataclass(config):
        return {
            field.name: identity(getattr(config, field.name))
            for field in fields(config)
            if not (field.metadata == LATER and getattr(config, field.name) == field.default)
        }
    if isinstance(config, dict):
        return {name: identity(value) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return [identity(value) for value in config]
    return config.value if isinstance(config, Enum) else config
