"""The optimizer, and its learning rate as a function of training progress.

The rate is the product of warm-up and decay, both from the first step on: during warm-up it rises
towards a curve that already decays, and reaches that curve at the last warm-up step.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from physlm.schema import Schema

if TYPE_CHECKING:
    import torch


class Decay(str, Enum):
    """Shape of the learning rate's decay."""

    cosine = "cosine"
    linear = "linear"
    constant = "constant"


@dataclass(kw_only=True, slots=True)
class OptimConfig(Schema):
    """AdamW and its learning rate.

    Source:
        Physics of Language Models, Part 3.3, appendix A: AdamW, 1k warm-up, cosine to 0.1.
    """

    learning_rate: float = 1e-3  # peak, after warm-up
    weight_decay: float = 0.01  # decoupled; multiplied by the learning rate in each step
    beta_1: float = 0.9  # decay of the mean gradient
    beta_2: float = 0.98  # decay of the mean squared gradient
    epsilon: float = 1e-6  # added to the root of the mean squared gradient
    decay: Decay = Decay.cosine  # of the learning rate, after warm-up
    min_lr_ratio: float = 0.1  # final over peak learning rate
    warmup_steps: int = 1000  # optimizer steps in which the learning rate rises from 0

    def validate(self) -> None:
        """Every value in its range."""
        for name in ("weight_decay", "warmup_steps"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}; must be finite and at least 0")
        if not 0 <= self.min_lr_ratio <= 1:
            raise ValueError(f"min_lr_ratio={self.min_lr_ratio}; must be from 0 to 1")
        for name in ("learning_rate", "epsilon"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}; must be finite and above 0")
        for name in ("beta_1", "beta_2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be in [0, 1)")

    def rate(self, step: int, progress: float) -> float:
        """The learning rate of a step.

        Decay follows progress, the fraction of all documents already seen, rather than steps:
        documents are counted exactly, while the number of steps depends on how they pack.

        Args:
            step: Optimizer steps taken before.
            progress: From 0 at the start to 1 when every exposure is over.
        """
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        remaining = {
            Decay.cosine: (1 + math.cos(math.pi * progress)) / 2,
            Decay.linear: 1 - progress,
            Decay.constant: 1.0,
        }[self.decay]
        return (
            self.learning_rate * warmup * (self.min_lr_ratio + (1 - self.min_lr_ratio) * remaining)
        )

    def require_end_of_warmup(self, n_steps: int) -> None:
        """Require that warm-up ends before training does.

        Raises:
            ValueError: If it does not, with the fraction of the rate that would be reached.
        """
        if self.warmup_steps <= 1 or self.warmup_steps < n_steps:
            return
        reached = max(self.rate(step, step / n_steps) for step in range(n_steps))
        raise ValueError(
            f"optim.warmup_steps={self.warmup_steps}, but training has about {n_steps} steps: at "
            f"most {reached / self.learning_rate:.1%} of optim.learning_rate would be reached; "
            f"set optim.warmup_steps={n_steps // 10} or train longer"
        )

    def build(
        self,
        decaying: "list[torch.nn.Parameter]",
        others: "list[torch.nn.Parameter]",
        *,
        is_fused: bool,
    ) -> "torch.optim.AdamW":
        """AdamW with weight decay on some parameters only.

        Args:
            decaying: Parameters with weight decay.
            others: Parameters without.
            is_fused: Whether to use the fused kernel.
        """
        import torch

        groups = [
            {"params": decaying, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=self.learning_rate,
            betas=(self.beta_1, self.beta_2),
            eps=self.epsilon,
            fused=is_fused,
        )
