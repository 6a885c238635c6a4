"""Keys of a configuration as keyword arguments: `n_people=100` for `data.n_people=100`."""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

from physlm.config import RunConfig, composed
from physlm.config.words import quoted
from physlm.errors import InputError
from physlm.science import flatten
from physlm.suggestions import did_you_mean

_NOT_OWN = ("ancestor.", "kinds.")  # parts of a described configuration that are not keys


def with_keywords(words: tuple[str, ...], keys: Mapping[str, object]) -> RunConfig:
    """The configuration of overrides and keyword values, whose keys are given by their last part.

    Raises:
        InputError: If a key or value is refused.
    """
    known = _keys_of(composed(words)) if keys else []
    return composed((*words, *(f"{_full(k, known)}={as_word(v)}" for k, v in keys.items())))


def as_word(value: object) -> str:
    """A value as on the command line."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str | Path):
        return quoted(str(value))
    return json.dumps(value)


def _keys_of(config: RunConfig) -> list[str]:
    """All keys of a configuration, as on the command line."""
    return [key for key in flatten(config.described()) if not key.startswith(_NOT_OWN)]


def _full(name: str, known: Sequence[str]) -> str:
    """The key that ends with a name.

    Raises:
        InputError: If there is none, or there are several.
    """
    if name in known:
        return name
    found = [key for key in known if key.rpartition(".")[2] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{name}= could be {' or '.join(found)}; give the full key, as in '{found[0]}=...'"
        )
    near = did_you_mean(name, (key.rpartition(".")[2] for key in known))
    raise InputError(f"unknown key {name}{near or '; python -m physlm.run --help lists the keys'}")
