"""An optimizer step as one program: forward, backward and clipping compiled together, then AdamW.

The compiler fuses operations across their borders, and a GPU replays the step without waiting for
Python.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim.adamw import adamw

from physlm.models.compilation import CudaGraph, compiled
from physlm.train.objective import Objective
from physlm.train.part_gradients import PartGradients
from physlm.train.parts import Parts, clipped
from physlm.train.trainer import Precision

Gradients = Callable[[Tensor, Tensor], tuple[Tensor, dict[str, Tensor]]]
Step = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class _Group:
    """Parameters with one weight decay, and AdamW's state of each."""

    settings: dict[str, Any]
    names: list[str]
    parameters: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    counts: list[Tensor]


class CompiledStep:
    """Takes optimizer steps on the parameters and the optimizer's state, in place.

    The state tensors are those of the optimizer, so its checkpoints hold them, and a resumed run
    may continue with the optimizer itself.

    Args:
        objective: Whose parameters are trained.
        optimizer: Whose state is updated.
        gradient_accumulation_steps: Parts of a batch that are computed one after the other.
        gradient_clip: Largest norm of the gradient; None for any.
        n_parts: Parts of a batch that processes compute side by side; see `parts`.
        n_workers: Further processes, for parts but the first.
        precision: Of matrix products, which each process needs to know.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: torch.optim.AdamW,
        *,
        gradient_accumulation_steps: int,
        gradient_clip: float | None,
        n_parts: int = 1,
        n_workers: int = 0,
        precision: Precision = Precision.fp32,
    ) -> None:
        self.groups = _groups(objective, optimizer)
        self.parameters = {
            name: parameter
            for group in self.groups
            for name, parameter in zip(group.names, group.parameters, strict=True)
        }
        self.gradient_clip = gradient_clip
        # AdamW stays outside of the compiled part: its fused kernel is a single call for all
        # parameters, while compiled code would unroll the update of each.
        self.gradients: Gradients
        if n_parts == 1:
            self.whole = PartGradients(
                objective, self.parameters, gradient_accumulation_steps=gradient_accumulation_steps
            )
            self.gradients = compiled(self._gradients)
        else:
            self.gradients = Parts(
                objective,
                self.parameters,
                n_parts=n_parts,
                n_workers=n_workers,
                gradient_accumulation_steps=gradient_accumulation_steps,
                gradient_clip=gradient_clip,
                precision=precision,
            )
        is_cuda = next(iter(self.parameters.values())).is_cuda
        self.step: Step = CudaGraph(self._take) if is_cuda else self._take

    @torch.no_grad()
    def __call__(
        self,
        windows: Int[Tensor, "batch seq_1"],
        n_targets: Float[Tensor, ""],
        rate: Float[Tensor, ""],
    ) -> Float[Tensor, ""]:
        """Take one step; returns the batch's mean loss in nats before it."""
        return self.step(windows, n_targets, rate)

    def _take(self, windows: Tensor, n_targets: Tensor, rate: Tensor) -> Tensor:
        loss, gradients = self.gradients(windows, n_targets)
        for group in self.groups:
            adamw(
                group.parameters,
                [gradients[name] for name in group.names],
                group.means,
                group.squares,
                [],
                group.counts,
                # A tensor: a Python number would be a constant of the recorded CUDA graph.
                lr=rate,
                fused=True,
                amsgrad=False,
                maximize=False,
                **group.settings,
            )
        return loss

    def close(self) -> None:
        """End the processes that it started."""
        if isinstance(self.gradients, Parts):
            self.gradients.close()

    def _gradients(self, windows: Tensor, n_targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss and its gradient by name, clipped."""
        loss, gradients = self.whole.summed(windows, n_targets)
        if self.gradient_clip is not None:
            gradients = clipped(gradients, self.gradient_clip)
        return loss, gradients


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
