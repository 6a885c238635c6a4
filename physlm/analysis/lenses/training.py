"""Training of translators to predict what the model itself predicts."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.analysis.lenses.config import LensOptimizer, TunedLensConfig
from physlm.analysis.lenses.divergence import cross_entropy, state_groups, token_chunks
from physlm.analysis.lenses.lens import frozen
from physlm.analysis.lenses.muon import Muon
from physlm.analysis.lenses.progress import reported
from physlm.analysis.lenses.state_pool import StatePool
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.errors import DivergedError
from physlm.models.language_model import LanguageModel
from physlm.rng import stream


class Translators(nn.Module):
    """Affine maps h + h W + b of each state below L.

    Attributes:
        weight: W of each state.
        bias: b of each state.
    """

    def __init__(
        self, weight: Float[Tensor, "states width width"], bias: Float[Tensor, "states width"]
    ) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(
        self, states: Float[Tensor, "states tokens width"], numbers: list[int]
    ) -> Float[Tensor, "chosen tokens width"]:
        """Estimates of state L from the states of the given numbers."""
        chosen = states[numbers].to(self.weight.dtype)
        bias = self.bias[numbers][:, None]
        return chosen + torch.baddbmm(bias, chosen, self.weight[numbers])


def train(
    translators: Translators,
    pool: StatePool,
    config: TunedLensConfig,
    weights: UpdateWeights,
    *,
    seed: int,
) -> None:
    """Minimise the KL divergence of all states' predictions from the model's.

    Args:
        translators: Trained in place.
        pool: The states to fit.
        config: Optimizer and number of steps.
        weights: Weights of updates by the frequency of tokens.
        seed: Seed of the batches.

    Raises:
        DivergedError: If the loss is not finite.
    """
    optimizers = _optimizers(translators, config, pool)
    schedules = [torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, config.n_steps) for o in optimizers]
    batches = pool.batches(config.tokens_per_step, stream(seed, "lens", "batches"))
    for step in reported(config.n_steps, "lens: step"):
        loss = _gradients(translators, pool.model, next(batches), weights)
        if not loss.isfinite():
            raise DivergedError(step, "lower the learning_rate or gradient_clip of the lens")
        nn.utils.clip_grad_norm_(translators.parameters(), config.gradient_clip)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()


def _gradients(
    translators: Translators, model: LanguageModel, batch: Tensor, weights: UpdateWeights
) -> Tensor:
    """Add the gradients of the mean loss over the batch's tokens, summed over states."""
    total = total_weight = torch.zeros((), dtype=torch.float64, device=batch.device)
    with frozen(model):
        for part in token_chunks(batch.shape[1], model):
            chunk = batch[:, part]
            with torch.no_grad():
                last = model.unembed(chunk[-1])
                target = weights.of_entries(last.softmax(-1))
                position_weights = weights.of_positions(last)
            for ks in state_groups(list(range(len(batch) - 1)), chunk.shape[1], model):
                logits = model.unembed(translators(chunk, ks))
                loss = (cross_entropy(logits, target) * position_weights).sum()
                loss.backward()  # type: ignore[no-untyped-call]
                total = total + loss.detach()
            total_weight = total_weight + position_weights.sum()
    for parameter in translators.parameters():
        if parameter.grad is not None:
            parameter.grad /= total_weight
    return total / total_weight


def _optimizers(
    translators: Translators, config: TunedLensConfig, pool: StatePool
) -> list[torch.optim.Optimizer]:
    every, rate, decay = list(translators.parameters()), config.rate, config.weight_decay
    if config.optimizer == LensOptimizer.sgd:
        return [torch.optim.SGD(every, lr=rate, momentum=0.9, nesterov=True, weight_decay=decay)]
    if config.optimizer == LensOptimizer.adam:
        return [torch.optim.Adam(every, lr=rate, weight_decay=decay, amsgrad=True)]
    # Steps of Muon and AdamW have a size of their own, whatever the gradient. They are measured in
    # units of the last state, else a step would be small for a state that is shorter than it.
    scales = next(iter(pool)).float().square().mean((1, 2)).sqrt()
    relative = (scales[-1] / scales[:-1]).clamp(min=1.0)
    # Muon equalises the singular values of a matrix; a bias has none.
    return [
        Muon(translators.weight, lr=rate, scales=relative, weight_decay=decay),
        torch.optim.AdamW([translators.bias], lr=rate * scales[-1].item(), weight_decay=decay),
    ]
