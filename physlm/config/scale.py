"""The size at which a configuration is composed."""

from collections.abc import Sequence
from enum import Enum

from physlm.errors import InputError


class Scale(str, Enum):
    """How large: two CPU cores and minutes, one GPU and an hour, or as published."""

    laptop = "laptop"
    gpu = "gpu"
    paper = "paper"


def chosen_scale(words: Sequence[str]) -> Scale:
    """The scale that words choose; of several to sweep over, the first.

    Raises:
        InputError: If there is no such scale.
    """
    named = [w.partition("=")[2] for w in words if w.lstrip("+").startswith("scale=")]
    chosen = [name.strip("'\"") for name in (named[-1] if named else "laptop").split(",")]
    scales = [scale_named(name, "scale=") for name in chosen]
    return scales[0]


def scale_named(name: str, where: str) -> Scale:
    """The scale of that name.

    Raises:
        InputError: Beginning with where the name was read, if there is none.
    """
    known = [scale.value for scale in Scale]
    if name not in known:
        raise InputError(f"{where}{name}; one of {', '.join(known)}")
    return Scale(name)
