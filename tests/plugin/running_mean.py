"""A mixer of somebody else.

`python running_mean.py +model/mixer=running_mean model.position=none --config-dir conf`
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from physlm.models.architecture import MixerConfig
from physlm.models.context import Mixer
from physlm.models.parameters import Declaration
from physlm.models.state import MixerState
from physlm.registry import register
from physlm.run import main


@register("mixer", "running_mean")
@dataclass(kw_only=True, slots=True)
class RunningMeanConfig(MixerConfig):
    """Each token takes the mean of what all tokens up to it have to say."""

    has_bias: bool = True

    def build(self, config):
        """The mixer of one block."""
        return RunningMean(config.d_model, has_bias=self.has_bias)

    def n_parameters(self, config):
        """One square matrix and its bias."""
        return config.d_model * (config.d_model + self.has_bias)


class RunningMean(Mixer):
    """Means over all tokens up to each, of one linear map."""

    declares: ClassVar = {"value": Declaration(role="attention", is_residual=True)}

    def __init__(self, width, *, has_bias):
        super().__init__()
        self.value = nn.Linear(width, width, bias=has_bias)

    def forward(self, x, context):
        """Means so far; while text is generated, from the sum that the state keeps."""
        values = self.value(x)
        if context.place is not None:
            state = context.state
            state.total = state.total + values
            return state.total / (context.place.positions + 1)[:, None, None]
        counts = torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]
        if context.state is not None:
            lengths = context.decoding.positions
            is_read = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
            context.state.total = (values * is_read[..., None]).sum(dim=1, keepdim=True)
        return values.cumsum(dim=1) / counts

    def new_state(self):
        """The sum of all values so far."""
        return Total()


class Total(MixerState):
    """One sum for each row."""

    def reserve(self, n_positions):
        """Nothing grows."""

    def keep(self, rows):
        """Forget all other rows."""
        self.total = self.total[rows]


if __name__ == "__main__":
    main()
