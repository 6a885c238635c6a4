"""Declarations of parameters by their modules: role, weight decay, initialisation.

A module that owns parameters, or contains other modules, has ``declares``: a declaration for some
of its attributes, each a parameter, or a module with all parameters in it. The innermost
declaration counts; a value that none declares follows from the type of torch's module.

    class Shift(nn.Module):
        declares = {"taps": Declaration(role="canon", decays=False, start=Start.as_made)}

        def __init__(self, width: int) -> None:
            super().__init__()
            self.taps = nn.Parameter(torch.zeros(4, width))

Random initial values that are not those of the model's matrices are drawn by a function, as in
``Declaration(start=lambda weight, generator: weight.uniform_(-1, 1, generator=generator))``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn

from physlm.errors import InputError


class Start(str, Enum):
    """Initial values: normally distributed, zeros, or those that the module itself set."""

    normal = "normal"
    zero = "zero"
    as_made = "as_made"


# Fills a parameter in place, with random numbers of the given generator only.
Initialiser = Callable[[Tensor, torch.Generator], object]


@dataclass(frozen=True, slots=True)
class Declaration:
    """Properties of a parameter that a module declares; None leaves one to other modules.

    Attributes:
        role: Role under which it is counted, such as embedding, attention, mlp or norm.
        decays: Whether weight decay applies to it.
        start: Its initialisation, or a function that draws it from a generator of its own.
        is_residual: Whether its output is added to the residual stream; its normally distributed
            initial values are then scaled down with depth.
        is_expert: Whether it holds one slice per expert, of which each token uses a few.
    """

    role: str | None = None
    decays: bool | None = None
    start: Start | Initialiser | None = None
    is_residual: bool | None = None
    is_expert: bool | None = None

    def over(self, other: "Declaration") -> "Declaration":
        """The declaration with the other's values where it has none of its own."""
        # Every parameter of every model is looked up several times; astuple would copy deeply.
        values = {name: getattr(self, name) for name in self.__slots__}
        return replace(other, **{n: value for n, value in values.items() if value is not None})


_WEIGHT = Declaration(decays=True, start=Start.normal)
_BIAS = Declaration(decays=False, start=Start.zero)
_NORM = {
    "weight": Declaration(role="norm", decays=False, start=Start.as_made),
    "bias": Declaration(role="norm", decays=False, start=Start.zero),
}
# Convolutions are left out: some modules use them as linear maps, which decay, others as filters.
_OF_TORCH: dict[type[nn.Module], Mapping[str, Declaration]] = {
    nn.Linear: {"weight": _WEIGHT, "bias": _BIAS},
    nn.Embedding: {"weight": _WEIGHT},
    nn.LayerNorm: _NORM,
    nn.RMSNorm: _NORM,
}


def declarations(model: nn.Module) -> dict[str, Declaration]:
    """Declaration of each parameter, by name; a shared tensor has its first name."""
    return {name: _declaration(model, name) for name, _ in model.named_parameters()}


def roles(model: nn.Module) -> dict[str, str]:
    """The role of each parameter, by name.

    Raises:
        InputError: Naming a parameter whose role nothing declares, or a declared attribute that
            does not exist.
    """
    _require_attributes(model)
    return _known(model, "role", "its role")


def decays(model: nn.Module) -> dict[str, bool]:
    """Whether each parameter decays, by name.

    Raises:
        InputError: Naming a parameter whose decay nothing declares, or a declared attribute that
            does not exist.
    """
    _require_attributes(model)
    return _known(model, "decays", "whether it decays")


def starts(model: nn.Module) -> dict[str, Start | Initialiser]:
    """Initialisation of each parameter, by name; declared attributes may be added later.

    Raises:
        InputError: Naming a parameter whose initialisation nothing declares.
    """
    return _known(model, "start", "its initialisation")


def _known(model: nn.Module, fact: str, what: str) -> dict[str, Any]:
    known = {name: getattr(found, fact) for name, found in declarations(model).items()}
    for name, value in known.items():
        if value is None:
            owner, attribute = _owner(model, name)
            raise InputError(
                f"parameter {name}: nothing declares {what}; give {type(owner).__name__} "
                f'declares = {{"{attribute}": Declaration({fact}=...)}}, see {__name__}'
            )
    return known


def _owner(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The innermost module of a parameter that is not torch's own, and its attribute there."""
    module, owner = model, (model, name)
    for part in name.split("."):
        if not type(module).__module__.startswith("torch."):
            owner = module, part
        module = getattr(module, part)
    return owner


def _declaration(model: nn.Module, name: str) -> Declaration:
    """Merged from the model inwards; the type of torch's module counts least."""
    module, found = model, Declaration()
    *outer, own = name.split(".")
    for part in outer:
        found = _declared_by(module, part).over(found)
        module = getattr(module, part)
    of_torch = (_OF_TORCH[kind] for kind in type(module).__mro__ if kind in _OF_TORCH)
    known = next(of_torch, {}).get(own, Declaration())
    return _declared_by(module, own).over(found).over(known)


def _declared_by(module: nn.Module, attribute: str) -> Declaration:
    declared: Mapping[str, Declaration] = getattr(module, "declares", {})
    return declared.get(attribute, Declaration())


def _require_attributes(model: nn.Module) -> None:
    for module in model.modules():
        for attribute in getattr(module, "declares", {}):
            if not hasattr(module, attribute):
                kind = type(module).__name__
                raise InputError(
                    f"{kind} declares {attribute}, which it does not have; correct the name"
                )
