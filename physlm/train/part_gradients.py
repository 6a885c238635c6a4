"""Gradients of a batch, or of a part of it, summed over pieces that fit into memory."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.train.objective import Objective


class PartGradients:
    """Sums of gradients and losses over windows, divided by the targets of the whole batch.

    Its methods are traced as they are: who calls them compiles them.

    Args:
        objective: Whose loss is differentiated.
        parameters: By name; what it is differentiated by, in this order.
        gradient_accumulation_steps: Pieces of the windows, one computed after the other.
    """

    def __init__(
        self,
        objective: Objective,
        parameters: dict[str, Tensor],
        *,
        gradient_accumulation_steps: int,
    ) -> None:
        self.objective = objective
        self.parameters = parameters
        self.gradient_accumulation_steps = gradient_accumulation_steps

    def row(
        self, windows: Int[Tensor, "batch seq_1"], n_targets: Float[Tensor, ""]
    ) -> Float[Tensor, " parameters_1"]:
        """All gradients, parameter after parameter, and the loss."""
        loss, gradients = self.summed(windows, n_targets)
        return torch.cat([*(g.flatten() for g in gradients.values()), loss[None]])

    def summed(self, windows: Tensor, n_targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and its gradient by name, summed over parts of the windows."""
        # torch.func instead of .backward(): the whole of it is traced into one graph, without
        # autograd's accumulation into .grad between the compiled parts.
        differentiate = torch.func.grad_and_value(self._loss)
        parts = [
            differentiate(self.parameters, part, n_targets)
            for part in windows.tensor_split(self.gradient_accumulation_steps)
        ]
        gradients, loss = parts[0]
        for part_gradients, part_loss in parts[1:]:
            gradients = {name: sum_ + part_gradients[name] for name, sum_ in gradients.items()}
            loss = loss + part_loss
        return loss, gradients

    def _loss(self, parameters: dict[str, Tensor], windows: Tensor, n_targets: Tensor) -> Tensor:
        loss: Tensor = torch.func.functional_call(self.objective, parameters, (windows,))
        return loss / n_targets
