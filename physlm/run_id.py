"""The configuration values that enter the run id."""

from dataclasses import Field, fields, is_dataclass
from enum import Enum
from typing import Any

from physlm.sources import content_of

LATER = {"later": True}
HOW = {"how": True}  # of a field that decides how something is done, and not the result


def identity(config: Any) -> Any:
    """Plain values of all fields that decide the result.

    A field added to a schema after its first results, ``field(default=..., metadata=LATER)``, is
    left out at its default value, so that earlier runs keep their ids. Files count by their content
    and not by their path.
    """
    if is_dataclass(config):
        return {
            field.name: _of_field(field, getattr(config, field.name))
            for field in fields(config)
            if "how" not in field.metadata
            and not ("later" in field.metadata and getattr(config, field.name) == field.default)
        }
    if isinstance(config, dict):
        return {name: identity(value) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return [identity(value) for value in config]
    return config.value if isinstance(config, Enum) else config


def without_how(config: Any) -> Any:
    """A configuration as dictionaries, without the fields that do not decide the result."""
    if is_dataclass(config):
        kept = [field.name for field in fields(config) if "how" not in field.metadata]
        return {name: without_how(getattr(config, name)) for name in kept}
    if isinstance(config, dict):
        return {name: without_how(value) for name, value in config.items()}
    return config


def _of_field(field: "Field[Any]", value: Any) -> Any:
    is_source = "source" in field.metadata and isinstance(value, str)
    return content_of(value) if is_source else identity(value)
