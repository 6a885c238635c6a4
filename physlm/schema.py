"""The base of configuration schemas: fields are converted to their types, or refused, then checked.

OmegaConf converts the values of a command line. Configurations written in Python are converted here
only; without it a string would pass for an enum.
"""

import inspect
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

_LARGEST = 2**63 - 1  # of NumPy's integers


@dataclass(kw_only=True, slots=True)
class Schema:
    """The base of every configuration.

    Raises:
        ValueError: If the value of a field has another type, or breaks a rule of the class.
    """

    def __post_init__(self) -> None:
        hints: dict[str, Any] = _hints(type(self))  # type: ignore[arg-type]
        for field in fields(self):
            setattr(
                self,
                field.name,
                converted(getattr(self, field.name), hints[field.name], field.name),
            )
        self.validate()

    @property
    def parts(self) -> "dict[str, Schema]":
        """Nested configurations of fields that accept several schemas, by name, without nulls."""
        hints: dict[str, Any] = _hints(type(self))  # type: ignore[arg-type]
        kinds = {name: get_args(hint) or (hint,) for name, hint in hints.items()}
        chosen = [name for name, among in kinds.items() if any(map(inspect.isabstract, among))]
        return {name: part for name in chosen if (part := getattr(self, name)) is not None}

    def validate(self) -> None:
        """Check that every value is in its range; schemas with rules override this.

        Raises:
            ValueError: If not; names the field, its value, the rule and the remedy.
        """


def converted(value: Any, hint: Any, name: str) -> Any:
    """A value converted to its annotation, such as an enum member from its value.

    Args:
        value: The given value.
        hint: The annotation.
        name: Name of the field, for the error.

    Raises:
        ValueError: If the value is of another type, or a number that is not finite.
    """
    if hint is Any:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(value, arguments, name)
    if origin is list:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{name}={value!r}; must be a list, as [{value}]")
        return [converted(item, arguments[0], name) for item in value]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{name}={value!r}; must be a mapping of names to values")
        return {key: converted(item, arguments[1], f"{name}.{key}") for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(value, hint, name)
    return _plain(value, hint, name)


def _one_of(value: Any, hints: tuple[Any, ...], name: str) -> Any:
    """Convert to the first type that accepts the value; the error is that of the last type."""
    if value is None and type(None) in hints:
        return None
    *others, last = (hint for hint in hints if hint is not type(None))
    for hint in others:
        try:
            return converted(value, hint, name)
        except ValueError:
            continue
    return converted(value, last, name)


def _member(value: Any, kind: type[Enum], name: str) -> Enum:
    if isinstance(value, kind):
        return value
    if type(value) is str and value in (member.value for member in kind):
        return kind(value)
    raise ValueError(f"{name}={value}; one of {', '.join(str(member.value) for member in kind)}")


def _plain(value: Any, hint: Any, name: str) -> Any:
    """Convert numbers, texts, and nested configurations."""
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{name}={value}; must be a finite number")
        return float(value)
    if hint is int and type(value) is int and abs(value) > _LARGEST:
        raise ValueError(f"{name}={str(value)[:20]}...; must be at most {_LARGEST} in size")
    is_bool_for_int = hint is int and isinstance(value, bool)
    if isinstance(hint, type) and (is_bool_for_int or not isinstance(value, hint)):
        wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        raise ValueError(f"{name}={value!r}; must be {wanted.get(hint, f'a {hint.__name__}')}")
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
