"""Which values of a configuration decide a result, and in which of them two runs differ."""

from collections.abc import Mapping
from typing import Any

# What of a configuration decides a result, and hence names the run; the rest only says how it is
# carried out.
SCIENCE = ("seed", "data", "model", "optim", "trainer", "eval")
_KINDS = "kinds."


def science_of(described: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides a result, with dotted keys; lists as text.

    Args:
        described: A configuration in plain values, with its kinds and ancestors, as records have
            it.
    """
    flat = flatten(described)
    return {k: str(v) if isinstance(v, list) else v for k, v in flat.items() if is_science(k)}


def differences(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, with both values; None for what one side does not have.

    A section that one side lacks altogether is one key. Where a section is of two kinds, the kinds
    differ, and those of its keys that both have; keys of one kind alone go with it.
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
    """The line that goes with published numbers beside a run; none if it is the experiment's own.

    Args:
        changed: As in a record.
    """
    if changed is None:
        return "whether the configuration is the experiment's own is not known"
    values = ", ".join(f"{key}={both}" for key, both in changed.items())
    return f"changed from the experiment: {values}" if changed else ""


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys as one types them on the command line."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def is_science(name: str) -> bool:
    """Whether a key or column is of what decides a result, in this run or those before it."""
    section, dot, _ = own_key(name).partition(".")
    return bool(dot) and section in {*SCIENCE, "kinds"}


def own_key(name: str) -> str:
    """A key without what says that it is of a run that this one started from."""
    while name.startswith("ancestor."):
        name = name.removeprefix("ancestor.")
    return name


def _section(key: str) -> str:
    """What a key of kinds is the kind of."""
    return key.replace(_KINDS, "", 1)


def _lacking(key: str, others: Mapping[str, Any]) -> str:
    """The outermost section around a key of which the other side has nothing."""
    parts = _section(key).split(".") if own_key(key).startswith(_KINDS) else key.split(".")
    for i in range(1, len(parts)):
        section = ".".join(parts[:i])
        if not any(other == section or other.startswith(f"{section}.") for other in others):
            return section
    return ".".join(parts)
