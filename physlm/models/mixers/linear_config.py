"""Configuration of mixers with linear attention.

This module imports no torch, so that a configuration is composed without it.
"""

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from physlm.models.architecture import MixerConfig, TransformerConfig
from physlm.registry import register
from physlm.run_id import LATER

if TYPE_CHECKING:
    from physlm.models.context import Mixer


class FeatureMap(str, Enum):
    """What is applied to queries and keys of linear attention: nothing, or 1 + ELU."""

    none = "none"
    elu = "elu"


class BiasInit(str, Enum):
    """How the biases of a convolution start: zero, or uniform as those of torch's `Conv1d`."""

    zero = "zero"
    uniform = "uniform"


@dataclass(kw_only=True, slots=True)
class LinearConfig(MixerConfig):
    """Settings of all mixers whose decoding state is a matrix for every head.

    Attributes:
        least_heads: Heads where their number is not given and the model is narrow.
        head_width: Width of the model per head where their number is not given and it is wide.
    """

    least_heads: ClassVar[int]
    head_width: ClassVar[int] = 0

    n_heads: int | None = None  # null: the published number
    has_convolution: bool = True  # its own short convolution, followed by SiLU
    convolution_kernel: int = 4  # tokens that the convolution takes in, the current one included

    def validate(self) -> None:
        """Require sizes of at least 1."""
        for name in ("n_heads", "convolution_kernel"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value}; must be at least 1")

    def heads(self, d_model: int) -> int:
        """Number of heads in a model of this width."""
        if self.n_heads is not None:
            return self.n_heads
        wide = d_model // self.head_width if self.head_width else 0
        return max(self.least_heads, wide)

    def require_divided(self, d_model: int, name: str, width: float) -> None:
        """Require that the heads divide a width of the mixer.

        Raises:
            ValueError: If they do not.
        """
        n_heads = self.heads(d_model)
        if width != int(width) or int(width) % n_heads:
            raise ValueError(
                f"d_model={d_model}: the {name} of width {width:g} are not divisible by "
                f"model.mixer.n_heads={n_heads}; set another number of heads or another width"
            )

    def n_convolved(self, width: int, *, has_bias: bool = False) -> int:
        """Parameters of the mixer's own convolution over some channels."""
        return self.has_convolution * (self.convolution_kernel + has_bias) * width


@register("mixer", "gla")
@dataclass(kw_only=True, slots=True)
class GlaConfig(LinearConfig):
    """Gated linear attention: keys of half the width, a decay for each of their channels.

    Source:
        Yang et al. (2023), Gated Linear Attention Transformers with Hardware-Efficient Training.
    """

    least_heads: ClassVar[int] = 4

    has_convolution: bool = False
    gate_rank: int = 16  # of the projection to decays
    gate_temperature: float = 16.0  # divides the logarithms of decays
    feature_map: FeatureMap = FeatureMap.none
    # SiLU of queries, keys and values without a convolution, which has one of its own.
    has_silu: bool = field(default=False, metadata=LATER)

    def validate(self) -> None:
        """Require also a gate of rank 1 or more, a temperature above 0, and SiLU at most once."""
        LinearConfig.validate(self)
        if self.has_silu and self.has_convolution:
            raise ValueError(
                "has_silu=true with has_convolution=true, which applies SiLU already; leave it out"
            )
        if self.gate_rank < 1:
            raise ValueError(f"gate_rank={self.gate_rank}; must be at least 1")
        if not 0 < self.gate_temperature < math.inf:
            raise ValueError(
                f"gate_temperature={self.gate_temperature}; must be above 0 and finite"
            )

    def check(self, config: TransformerConfig) -> None:
        """Require heads that divide the keys and the values."""
        self.require_divided(config.d_model, "keys", config.d_model / 2)

    def build(self, config: TransformerConfig) -> "Mixer":
        """The mixer of one block."""
        from physlm.models.mixers.linear.gla_mixer import GlaMixer  # here, as it needs torch

        return GlaMixer(self, config)

    def n_parameters(self, config: TransformerConfig) -> int:
        """About 4 d^2: queries and keys of d/2; values, gate and output of d."""
        d = config.d_model
        decays = d * self.gate_rank + (self.gate_rank + 1) * (d // 2)
        return 4 * d * d + decays + d // self.heads(d) + self.n_convolved(2 * d)

    def canon_width(self, config: TransformerConfig) -> int:
        """Channels of queries, keys and values."""
        return 2 * config.d_model


@register("mixer", "gated_delta")
@dataclass(kw_only=True, slots=True)
class GatedDeltaConfig(LinearConfig):
    """Gated DeltaNet: keys of 3/4 of the width, values of twice that, a decay for each head.

    Source:
        Yang et al. (2024), Gated Delta Networks.
    """

    least_heads: ClassVar[int] = 4
    head_width: ClassVar[int] = 128

    # Canon at B after the convolution and SiLU, as in the release; false: before, as published.
    has_canon_after_silu: bool = field(default=False, metadata=LATER)

    def check(self, config: TransformerConfig) -> None:
        """Require heads that divide the keys, and Canon at B if its place is chosen."""
        self.require_divided(config.d_model, "keys", 0.75 * config.d_model)
        if self.has_canon_after_silu and "B" not in (
            config.canon.positions if config.canon else ""
        ):
            raise ValueError(
                "has_canon_after_silu=true without Canon at B; add it with +canon=abcd, or leave "
                "has_canon_after_silu out"
            )

    def build(self, config: TransformerConfig) -> "Mixer":
        """The mixer of one block."""
        from physlm.models.mixers.linear.gated_delta_mixer import GatedDeltaMixer

        return GatedDeltaMixer(self, config)

    def n_parameters(self, config: TransformerConfig) -> int:
        """About 6 d^2: queries and keys of 3/4 d; values, gate and output of 3/2 d."""
        d, n_heads = config.d_model, self.heads(config.d_model)
        of_heads = 2 * d * n_heads + 2 * n_heads
        return 6 * d * d + of_heads + d_value(d) // n_heads + self.n_convolved(3 * d)

    def canon_width(self, config: TransformerConfig) -> int:
        """Channels of queries, keys and values."""
        return 3 * config.d_model


@register("mixer", "mamba2")
@dataclass(kw_only=True, slots=True)
class Mamba2Config(LinearConfig):
    """Mamba2: twice the width, keys and queries shared by the heads.

    Source:
        Dao and Gu (2024), Transformers are SSMs.
    """

    least_heads: ClassVar[int] = 16

    d_state: int = 64  # width of keys and queries
    # Initial biases of the convolution; uniform between -1/sqrt(k) and 1/sqrt(k) in the release.
    convolution_bias_init: BiasInit = field(default=BiasInit.zero, metadata=LATER)

    def validate(self) -> None:
        """Require also a state of width 1 or more, and a convolution if its bias has a start."""
        LinearConfig.validate(self)
        if self.d_state < 1:
            raise ValueError(f"d_state={self.d_state}; must be at least 1")
        if self.convolution_bias_init is not BiasInit.zero and not self.has_convolution:
            raise ValueError(
                f"convolution_bias_init={self.convolution_bias_init.value} with "
                "has_convolution=false; leave it out"
            )

    def check(self, config: TransformerConfig) -> None:
        """Require heads that divide twice the width."""
        self.require_divided(config.d_model, "inputs", 2 * config.d_model)

    def build(self, config: TransformerConfig) -> "Mixer":
        """The mixer of one block."""
        from physlm.models.mixers.linear.mamba2_mixer import Mamba2Mixer  # here, as it needs torch

        return Mamba2Mixer(self, config)

    def n_parameters(self, config: TransformerConfig) -> int:
        """About 6 d^2: gate and input of 2 d, and the output."""
        d, n_heads = config.d_model, self.heads(config.d_model)
        convolved = self.n_convolved(2 * d + 2 * self.d_state, has_bias=True)
        return d * self.canon_width(config) + 2 * d * d + convolved + 3 * n_heads + 2 * d

    def canon_width(self, config: TransformerConfig) -> int:
        """Channels of the whole input projection."""
        return 4 * config.d_model + 2 * self.d_state + self.heads(config.d_model)


def d_key(d_model: int) -> int:
    """Width of all keys of Gated DeltaNet."""
    return 3 * d_model // 4


def d_value(d_model: int) -> int:
    """Width of all values of Gated DeltaNet."""
    return 2 * d_key(d_model)
