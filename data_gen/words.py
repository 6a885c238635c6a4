"""Overrides given as one argument of a command: split into words, composed into a configuration."""

import shlex
from collections.abc import Sequence

from hydra.errors import OverrideParseException

from physlm.config import RunConfig, composed
from physlm.errors import InputError


def split(words: str) -> tuple[str, ...]:
    """The words of a text, split as a shell does: quotation marks hold a word together.

    Raises:
        InputError: If a quotation mark is not closed, or there is no word.
    """
    try:
        found = tuple(shlex.split(words))
    except ValueError as error:
        raise InputError(f"{words}: {error}; close every quotation mark") from error
    if not found:
        raise InputError(f"{words!r} is empty; write, for example, 'data=bior data.n_people=10000'")
    return found


def configured(words: Sequence[str]) -> RunConfig:
    """The configuration that overrides compose.

    Raises:
        InputError: If one of them is not an override, or its value is refused.
    """
    try:
        return composed(tuple(words))
    except OverrideParseException as error:
        raise InputError(
            f"{error.override} is not an override; write key=value, and put a value with special "
            "characters in its own quotation marks, as in key=\"'a=b'\""
        ) from error
