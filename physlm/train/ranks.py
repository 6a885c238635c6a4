"""Data-parallel training: copies of the model, one per rank, whose steps add their gradients."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn


class Ranks(DDPStrategy):
    """Lightning's DDP without its wrapper, which would exchange gradients in every backward pass.

    Args:
        n_threads: CPU threads of a rank.
    """

    def __init__(self, *, n_threads: int) -> None:
        super().__init__()
        self.n_threads = n_threads

    def setup_environment(self) -> None:
        """Use the same number of threads in all ranks: the order of sums depends on it.

        Lightning has set a number of its own when it started the ranks.
        """
        super().setup_environment()
        torch.set_num_threads(self.broadcast(self.n_threads))

    def configure_ddp(self) -> None:
        """Give every rank the parameters and buffers of the first, as the wrapper would."""
        assert self.model is not None
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            torch.distributed.broadcast(tensor.detach(), src=0)


def sum_over_ranks(
    parameters: Sequence[nn.Parameter], loss: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """Replace gradients by their sums over ranks, in one exchange; returns the sum of losses.

    A parameter that this rank's loss does not depend on counts as one with a gradient of 0.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    total = torch.cat([*(gradient.flatten() for gradient in found), loss[None]])
    torch.distributed.all_reduce(total)
    sums = torch.split(total[:-1], [parameter.numel() for parameter in trained])
    for parameter, summed in zip(trained, sums, strict=True):
        parameter.grad = summed.view_as(parameter)
    return total[-1].clone()  # a view would keep all sums until the losses are read
