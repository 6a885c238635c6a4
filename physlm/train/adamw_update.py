"""AdamW's update of all parameters, from gradients that a compiled program returns."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adamw import adamw

from physlm.train.objective import Objective


class AdamWUpdate:
    """Updates parameters and the optimizer's state in place, by one fused call per weight decay.

    The state tensors are those of the optimizer, so its checkpoints hold them, and a resumed run
    may continue with the optimizer itself.

    Attributes:
        parameters: The trained ones by name, detached.
    """

    def __init__(self, objective: Objective, optimizer: torch.optim.AdamW) -> None:
        self._groups = _groups(objective, optimizer)
        self.parameters = {
            name: parameter
            for group in self._groups
            for name, parameter in zip(group.names, group.parameters, strict=True)
        }

    def __call__(self, gradients: dict[str, Tensor], rate: Float[Tensor, ""]) -> None:
        """Take one step.

        Args:
            gradients: Of the parameters, by name.
            rate: Learning rate, a tensor: a Python number would be a constant of a CUDA graph.
        """
        for group in self._groups:
            adamw(
                group.parameters,
                [gradients[name] for name in group.names],
                group.means,
                group.squares,
                [],
                group.counts,
                lr=rate,
                fused=True,
                amsgrad=False,
                maximize=False,
                **group.settings,
            )


@dataclass(frozen=True, slots=True)
class _Group:
    """Parameters with one weight decay, and AdamW's state of each."""

    settings: dict[str, Any]
    names: list[str]
    parameters: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    counts: list[Tensor]


def _groups(objective: Objective, optimizer: torch.optim.AdamW) -> list[_Group]:
    names = {parameter: name for name, parameter in objective.named_parameters()}
    groups = []
    for group in optimizer.param_groups:
        trained = [parameter for parameter in group["params"] if parameter.requires_grad]
        states = [_state(optimizer, parameter) for parameter in trained]
        groups.append(
            _Group(
                settings={
                    "beta1": group["betas"][0],
                    "beta2": group["betas"][1],
                    "eps": group["eps"],
                    "weight_decay": group["weight_decay"],
                },
                names=[names[parameter] for parameter in trained],
                # Detached views of the same storage: updated in place outside of autograd.
                parameters=[parameter.detach() for parameter in trained],
                means=[state["exp_avg"] for state in states],
                squares=[state["exp_avg_sq"] for state in states],
                counts=[state["step"] for state in states],
            )
        )
    return groups


def _state(optimizer: torch.optim.AdamW, parameter: torch.nn.Parameter) -> dict[str, Tensor]:
    """AdamW's state of a parameter; created, if need be, as AdamW does at its first step."""
    if not optimizer.state[parameter]:
        optimizer.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        }
    state: dict[str, Tensor] = optimizer.state[parameter]
    return state
