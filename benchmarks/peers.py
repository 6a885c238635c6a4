"""How one would train without physlm: a plain loop, and Lightning as its tutorials have it."""

from collections.abc import Callable

import lightning
import torch
from torch import Tensor, nn

from physlm.train.schedule import OptimConfig

Loss = Callable[[Tensor], Tensor]


def next_token_loss(scores: Callable[[Tensor], Tensor]) -> Loss:
    """The mean loss of a batch of windows, through all logits."""

    def loss_of(batch: Tensor) -> Tensor:
        logits = scores(batch[:, :-1]).flatten(0, 1)
        return nn.functional.cross_entropy(logits.float(), batch[:, 1:].flatten())

    return loss_of


def plain_step(
    loss: Tensor, parameters: list[nn.Parameter], optimizer: torch.optim.Optimizer
) -> None:
    """What follows the forward pass."""
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad()


class Defaults(lightning.LightningModule):
    """A model and its loss, trained by automatic optimization and logged at every step.

    AdamW is fused where it can be: that forbids Lightning's clipping under bf16.
    """

    def __init__(self, model: nn.Module, loss_of: Loss, *, is_fused: bool) -> None:
        super().__init__()
        self.model = model
        self.loss_of = loss_of
        self.is_fused = is_fused

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        """The mean loss."""
        loss = self.loss_of(batch)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The same AdamW as everywhere."""
        return OptimConfig().build(list(self.model.parameters()), [], is_fused=self.is_fused)
