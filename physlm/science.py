"""The configuration values that decide a result, and how two runs differ in them."""

from collections.abc import Mapping
from typing import Any

# The sections that decide a result, and hence enter the run id; the others only set how a run is
# executed.
SCIENCE = ("seed", "data", "model", "optim", "trainer", "eval")
_KINDS = "kinds."


def science_of(described: Mapping[str, Any]) -> dict[str, Any]:
    """All values that decide a result, with dotted keys; lists as text.

    Args:
        described: A configuration in plain values with its kinds and ancestors, as in records.
    """
    flat = flatten(described)
    return {k: str(v) if isinstance(v, list) else v for k, v in flat.items() if is_science(k)}


def differences(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, with both values; None on the side without the key.

    A section that one side lacks is one key. If a section has two kinds, the result has the kinds,
    and those differing keys that both kinds have.
    """
    found = {}
    for key in {**values, **others}:
        if key in values and key in others:
            found[key] = (values[key], others[key])
        elif key in values:
            name = _lacking(key, others)
            found[name] = (values.get(name, values.get(_KINDS + name, "given")), None)
        else:
            name = _lacking(key, values)
            found[name] = (None, others.get(name, others.get(_KINDS + name, "given")))
    found = {key: pair for key, pair in found.items() if pair[0] != pair[1]}
    sections = tuple(_section(key) + "." for key in found if own_key(key).startswith(_KINDS))
    is_both = {key: key in values and key in others for key in found}
    return {
        key: pair for key, pair in found.items() if is_both[key] or not key.startswith(sections)
    }


def caveat(changed: Mapping[str, str] | None) -> str:
    """The caveat to published numbers beside a run; empty if its configuration is the experiment's.

    Args:
        changed: Changed keys with both values, as in a record.
    """
    if changed is None:
        return "it is not known whether the configuration is the experiment's own"
    values = ", ".join(f"{key}={both}" for key, both in changed.items())
    return f"changed from the experiment: {values}" if changed else ""


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping as a flat one, with dotted keys as on the command line."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def is_science(name: str) -> bool:
    """Whether a key or column decides the result, of this run or an ancestor."""
    section, dot, _ = own_key(name).partition(".")
    return bool(dot) and section in {*SCIENCE, "kinds"}


def own_key(name: str) -> str:
    """A key without its ``ancestor.`` prefixes."""
    while name.startswith("ancestor."):
        name = name.removeprefix("ancestor.")
    return name


def _section(key: str) -> str:
    """The section of a key of kinds."""
    return key.replace(_KINDS, "", 1)


def _lacking(key: str, others: Mapping[str, Any]) -> str:
    """The outermost section of a key that the other side lacks."""
    parts = _section(key).split(".") if own_key(key).startswith(_KINDS) else key.split(".")
    for i in range(1, len(parts)):
        section = ".".join(parts[:i])
        if not any(other == section or other.startswith(f"{section}.") for other in others):
            return section
    return ".".join(parts)
