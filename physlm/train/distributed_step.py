"""An optimizer step on a batch of which each rank has a part, with one exchange between ranks."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.compilation import CudaGraph, compiled
from physlm.train.adamw_update import AdamWUpdate
from physlm.train.clipping import clipped
from physlm.train.objective import Objective
from physlm.train.part_gradients import PartGradients
from physlm.train.shared_step import named

Program = Callable[..., Tensor]


class DistributedStep:
    """Takes optimizer steps on the parameters and the optimizer's state, in place, on every rank.

    Each rank adds up the gradients of all, clips the sum and updates its own copy of the
    parameters; since all compute the same from the same numbers, the copies stay equal.

    Args:
        objective: Whose parameters are trained.
        optimizer: Whose state is updated.
        gradient_accumulation_steps: Pieces of a rank's part, one computed after the other.
        gradient_clip: Largest norm of the gradient of the whole batch; None for any.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: torch.optim.AdamW,
        *,
        gradient_accumulation_steps: int,
        gradient_clip: float | None,
    ) -> None:
        self.update = AdamWUpdate(objective, optimizer)
        self.gradient_clip = gradient_clip
        parameters = self.update.parameters
        self.shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        gradients = PartGradients(
            objective, parameters, gradient_accumulation_steps=gradient_accumulation_steps
        )
        self.row = compiled(gradients.row)
        self.gradients = compiled(self._gradients)
        device = next(iter(parameters.values())).device
        # A place of its own: CUDA graphs read and write it without copies.
        self.total = torch.empty(sum(p.numel() for p in parameters.values()) + 1, device=device)
        self.before: Program = self._before
        self.after: Program = self._after
        if device.type == "cuda":
            # Two graphs, so that the exchange is an ordinary call: a recorded one would depend on
            # the version of the library, and could not be interrupted by its timeout.
            self.before, self.after = CudaGraph(self._before), CudaGraph(self._after)

    @torch.no_grad()
    def __call__(
        self,
        windows: Int[Tensor, "batch seq_1"],
        n_targets: Float[Tensor, ""],
        rate: Float[Tensor, ""],
    ) -> Float[Tensor, ""]:
        """Take one step.

        Args:
            windows: Of this rank.
            n_targets: Of the whole batch.
            rate: Learning rate.

        Returns:
            The whole batch's mean loss in nats before the step.
        """
        self.before(windows, n_targets)
        torch.distributed.all_reduce(self.total)
        return self.after(rate)

    def _before(self, windows: Tensor, n_targets: Tensor) -> Tensor:
        """Put the gradients and the loss of this rank in place."""
        return self.total.copy_(self.row(windows, n_targets))[-1]

    def _after(self, rate: Tensor) -> Tensor:
        self.update(self.gradients(self.total), rate)
        return self.total[-1].clone()  # the next step overwrites it

    def _gradients(self, total: Tensor) -> dict[str, Tensor]:
        """The gradient by name, clipped."""
        return clipped(named(total[:-1], self.shapes), self.gradient_clip)
