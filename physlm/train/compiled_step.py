"""An optimizer step as one program: forward, backward and clipping compiled together, then AdamW.

The compiler fuses operations across their borders, and a GPU replays the step without waiting for
Python.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.compilation import CudaGraph, compiled
from physlm.train.adamw_update import AdamWUpdate
from physlm.train.clipping import clipped
from physlm.train.objective import Objective
from physlm.train.part_gradients import PartGradients
from physlm.train.parts import Parts
from physlm.train.trainer import Precision

Gradients = Callable[[Tensor, Tensor], tuple[Tensor, dict[str, Tensor]]]
Step = Callable[[Tensor, Tensor, Tensor], Tensor]


class CompiledStep:
    """Takes optimizer steps on the parameters and the optimizer's state, in place.

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
        self.update = AdamWUpdate(objective, optimizer)
        parameters = self.update.parameters
        self.gradient_clip = gradient_clip
        # AdamW stays outside of the compiled part: its fused kernel is a single call for all
        # parameters, while compiled code would unroll the update of each.
        self.gradients: Gradients
        if n_parts == 1:
            self.whole = PartGradients(
                objective, parameters, gradient_accumulation_steps=gradient_accumulation_steps
            )
            self.gradients = compiled(self._gradients)
        else:
            self.gradients = Parts(
                objective,
                parameters,
                n_parts=n_parts,
                n_workers=n_workers,
                gradient_accumulation_steps=gradient_accumulation_steps,
                gradient_clip=gradient_clip,
                precision=precision,
            )
        is_cuda = next(iter(parameters.values())).is_cuda
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
        self.update(gradients, rate)
        return loss

    def close(self) -> None:
        """End the processes that it started."""
        if isinstance(self.gradients, Parts):
            self.gradients.close()

    def _gradients(self, windows: Tensor, n_targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss and its gradient by name, clipped."""
        loss, gradients = self.whole.summed(windows, n_targets)
        return loss, clipped(gradients, self.gradient_clip)
