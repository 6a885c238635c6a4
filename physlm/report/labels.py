"""Runs whose label names an architecture that they do not have."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from physlm.config import composed, config_dir
from physlm.config.files import option_names
from physlm.errors import InputError
from physlm.record import RunRecord
from physlm.science import differences, science_of

# What +architecture= chooses; all else is the experiment's, and the same for all architectures.
_CHOSEN = ("position", "rope_fraction", "rope_heads_fraction", "is_size_matched", "canon", "mixer")
_KEYS = tuple(f"{prefix}model.{field}" for field in _CHOSEN for prefix in ("", "kinds."))


def stale_labels(records: Iterable[RunRecord]) -> list[str]:
    """Notes on runs that change an architecture but keep its name as label, one line each.

    Args:
        records: Of runs; labels that name no architecture are left out.
    """
    found: dict[str, None] = {}  # a set in order of discovery
    for record in records:
        label = record.config.get("label", "")
        if label in option_names("architecture"):
            found |= dict.fromkeys(_notes(record, label))
    return list(found)


def _notes(record: RunRecord, label: str) -> list[str]:
    """What differs between a run and the architecture of its label."""
    run = f"{record.experiment}: label={label}"
    try:
        expected = _named(record.experiment, label, record.config["scale"])
    except InputError as error:
        return [f"{run}: +architecture={label} cannot be composed to compare with: {error}"]
    own = science_of(record.config)
    changed = {
        key: pair
        for key, pair in differences(own, expected).items()
        if _is_chosen(key) and not _is_later(key, own)
    }
    if not changed:
        return []
    pairs = (f"{key}={value} instead of {other}" for key, (value, other) in changed.items())
    return [f"{run} has {'; '.join(pairs)}; give the runs a label of their own by label=NAME"]


@cache
def _named(experiment: str, label: str, scale: str) -> Mapping[str, Any]:
    """The values of an architecture, on the experiment if there is one of that name."""
    words = [f"+architecture={label}", f"scale={scale}"]
    if (config_dir() / "experiment" / f"{experiment}.yaml").is_file():
        words.append(f"+experiment={experiment}")
    return science_of(composed(tuple(words)).described())


def _is_chosen(key: str) -> bool:
    return key in _KEYS or key.startswith(tuple(f"{name}." for name in _KEYS))


def _is_later(key: str, own: Mapping[str, Any]) -> bool:
    """Whether a run lacks a field because its section got it later; it had the default then."""
    section = key.rpartition(".")[0] + "."
    return key not in own and any(other.startswith(section) for other in own)
