"""The scale at which a configuration is composed."""

from collections.abc import Sequence
from enum import Enum

from physlm.errors import InputError


class Scale(str, Enum):
    """Two CPU cores for minutes or for an hour or two, one GPU for an hour, or the published size.

    A workstation has the settings of a laptop, and over them its own.
    """

    laptop = "laptop"
    workstation = "workstation"
    gpu = "gpu"
    paper = "paper"

    @property
    def with_base(self) -> tuple["Scale", ...]:
        """The scales whose settings apply, the last one over the others."""
        return (Scale.laptop, self) if self is Scale.workstation else (self,)


def chosen_scale(words: Sequence[str]) -> Scale:
    """The scale that overrides choose; the first of several in a sweep.

    Raises:
        InputError: If there is no such scale.
    """
    named = [w.partition("=")[2] for w in words if w.lstrip("+").startswith("scale=")]
    chosen = [name.strip("'\"") for name in (named[-1] if named else "laptop").split(",")]
    scales = [scale_named(name, "scale=") for name in chosen]
    return scales[0]


def scale_named(name: str, where: str) -> Scale:
    """The scale of a name.

    Raises:
        InputError: If there is none; the message begins with ``where`` the name was read.
    """
    known = [scale.value for scale in Scale]
    if name not in known:
        raise InputError(f"{where}{name}; one of {', '.join(known)}")
    return Scale(name)
