"""An optimizer step of all replicas as one program."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from physlm.models.compilation import CudaGraph
from physlm.models.language_model import LanguageModel
from physlm.models.parameters import decays
from physlm.train.objective import Objective
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig

# R replicas, B batch, T tokens of a window and the one after it.


class ReplicatedStep:
    """Takes one optimizer step of every replica, on parameters with a leading dimension for them.

    The gradients of each replica are clipped by their own norm; the update is AdamW's with
    decoupled weight decay (Loshchilov and Hutter, 2019).
    """

    def __init__(
        self,
        objective: Objective,
        models: Sequence[LanguageModel],
        *,
        optim: OptimConfig,
        trainer: TrainerConfig,
    ) -> None:
        self.objective = objective
        self.optim = optim
        self.trainer = trainer
        device = next(objective.parameters()).device
        named = [dict(model.named_parameters(prefix="model")) for model in models]
        stacked = {
            name: torch.stack([own[name].detach().to(device) for own in named]) for name in named[0]
        }
        is_trained = {name: parameter.requires_grad for name, parameter in named[0].items()}
        self.parameters = {name: p for name, p in stacked.items() if is_trained[name]}
        self.frozen = {name: p for name, p in stacked.items() if not is_trained[name]}
        # Adam's update is written out below: torch's optimizers have one learning rate, not one per
        # replica, and torch's clipping has one norm.
        self.means = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.squares = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.decays = decays(objective)
        self.device = device
        self._differentiate = torch.func.vmap(torch.func.grad_and_value(self._loss))
        self._step = CudaGraph(self._take) if device.type == "cuda" else self._take

    @torch.no_grad()
    def __call__(
        self,
        windows: Int[Tensor, "R B T"],
        n_targets: Float[Tensor, " R"],
        rates: Float[Tensor, " R"],
        number: Float[Tensor, ""],
    ) -> Float[Tensor, " R"]:
        """Take step ``number``, counted from 1.

        Args:
            windows: Of each replica.
            n_targets: Tokens predicted by each replica.
            rates: Learning rate of each; 0 leaves a replica that is done or has diverged unchanged.
            number: Of the step, as a tensor, so that a CUDA graph reads it at each replay.

        Returns:
            Mean loss in nats of each replica before the step.
        """
        losses: Tensor = self._step(windows, n_targets, rates, number)
        return losses

    def write_back(self, models: Sequence[LanguageModel]) -> None:
        """Give each model its own weights."""
        for i, model in enumerate(models):
            model.to(self.device)
            own = dict(model.named_parameters(prefix="model"))
            for name, parameters in self.parameters.items():
                own[name].data.copy_(parameters[i])

    def _take(self, windows: Tensor, n_targets: Tensor, rates: Tensor, number: Tensor) -> Tensor:
        gradients: dict[str, Tensor]
        losses: Tensor
        own = (self.parameters, self.frozen, windows, n_targets)
        gradients, losses = self._differentiate(*own)
        scale = self._clip_scale(gradients)
        optim, first, second = self.optim, self.optim.beta_1, self.optim.beta_2
        for name, parameter in self.parameters.items():
            # One factor per replica, broadcast over the dimensions of its parameter.
            shape = (-1, *[1] * (parameter.dim() - 1))
            rate, gradient = rates.view(shape), gradients[name] * scale.view(shape)
            mean, square = self.means[name], self.squares[name]
            mean.lerp_(gradient, 1 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
            # In place, into the tensors that a CUDA graph has recorded.
            if self.decays[name]:
                parameter.mul_(1 - rate * optim.weight_decay)
            spread = (square / (1 - second**number)).sqrt() + optim.epsilon
            parameter.sub_(rate * (mean / (1 - first**number)) / spread)
        return losses

    def _clip_scale(self, gradients: dict[str, Tensor]) -> Float[Tensor, " R"]:
        squares = [gradient.square().flatten(1).sum(dim=1) for gradient in gradients.values()]
        norms = torch.stack(squares).sum(dim=0).sqrt()
        if self.trainer.gradient_clip is None:
            return torch.ones_like(norms)
        scale: Tensor = (self.trainer.gradient_clip / (norms + 1e-6)).clamp(max=1.0)
        return scale

    def _loss(
        self,
        parameters: dict[str, Tensor],
        frozen: dict[str, Tensor],
        windows: Tensor,
        n_targets: Tensor,
    ) -> Tensor:
        autocast = self.trainer.precision.autocast(self.device.type)
        # Under vmap, fused attention kernels would run their backward pass replica by replica.
        with autocast, sdpa_kernel(SDPBackend.MATH):
            loss: Tensor = torch.func.functional_call(
                self.objective, parameters | frozen, (windows,)
            )
        return loss / n_targets
