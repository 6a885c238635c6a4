"""The words of a command line inside another one: split, and composed to a configuration."""

import shlex
from collections.abc import Sequence

from hydra.errors import OverrideParseException

from physlm.config import RunConfig, composed
from physlm.errors import InputError


def split(words: str) -> tuple[str, ...]:
    """The words of one text, as a shell splits them: quotation marks hold a word together.

    Raises:
        InputError: If one of them is not closed, or there is no word.
    """
    try:
        found = tuple(shlex.split(words))
    except ValueError as error:
        raise InputError(f"{words}: {error}; close every quotation mark") from error
    if not found:
        raise InputError(f"{words!r} holds no word; write such as 'data=bior data.n_people=10000'")
    return found


def configured(words: Sequence[str]) -> RunConfig:
    """The configuration of some words.

    Raises:
        InputError: If one of them is no word of a configuration, or says what is refused.
    """
    try:
        return composed(tuple(words))
    except OverrideParseException as error:
        raise InputError(
            f"{error.override} is no word of a configuration; write key=value, with a value of "
            "other marks in quotation marks of its own, as in key=\"'a=b'\""
        ) from error
