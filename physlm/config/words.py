"""Overrides of a command line, ordered and quoted so that Hydra reads them as meant."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

_BASES = ("+sweeps", "+experiment")  # what all other overrides change, whatever their order


def as_meant(words: Sequence[str]) -> list[str]:
    """Overrides with the experiment first, and ``init_from`` quoted where it has to be.

    Hydra composes groups in their order, so that ``+junk=half +experiment=NAME`` would let the
    experiment replace the junk. Its grammar rejects ``init_from=+experiment=people``.
    """
    readable = [_quoted_if_needed(word) for word in words]
    return sorted(readable, key=lambda word: word.partition("=")[0] not in _BASES)


def _quoted_if_needed(word: str) -> str:
    key, _, value = word.partition("=")
    if key.lstrip("+") != "init_from" or _is_readable(word):
        return word
    return f"{key}={quoted(value)}"


def quoted(text: str) -> str:
    """A text as a value of Hydra's grammar."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _is_readable(word: str) -> bool:
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True
