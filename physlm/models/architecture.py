"""What decoder and encoder have in common: sizes and kinds of their parts."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum

from physlm.models.attention import AttentionShape
from physlm.models.experts import ExpertsShape
from physlm.models.language_model import ModelConfig
from physlm.models.mlp import MlpKind
from physlm.models.position import PositionEncoding


class NormKind(str, Enum):
    """LayerNorm as in GPT-2, RMSNorm as in Llama."""

    layernorm = "layernorm"
    rmsnorm = "rmsnorm"


@dataclass(kw_only=True, slots=True)
class TransformerConfig(ModelConfig):
    """Pre-norm blocks between an embedding and its projection back to tokens."""

    n_layers: int = 2
    n_heads: int = 2
    d_model: int = 128
    position: PositionEncoding = PositionEncoding.rope
    rope_fraction: float = 1.0  # share of each head that is rotated
    rope_base: float = 10_000.0
    norm: NormKind = NormKind.layernorm
    norm_eps: float = 1e-5
    mlp: MlpKind = MlpKind.gelu
    mlp_ratio: float = 4.0  # hidden width over d_model
    has_bias: bool = True
    is_tied: bool = True  # input embedding = output projection
    init_std: float = 0.02

    @property
    @abstractmethod
    def is_causal(self) -> bool:
        """Whether no token sees those after it."""

    @property
    def n_special(self) -> int:
        """Tokens that are read but never predicted."""
        return 0

    @property
    def d_hidden(self) -> int:
        """Hidden width of the MLP."""
        return round(self.mlp_ratio * self.d_model)

    @property
    def attention_shape(self) -> AttentionShape:
        """Sizes of each attention layer."""
        return AttentionShape(self.d_model, self.n_heads, self.n_heads)

    @property
    def experts(self) -> ExpertsShape | None:
        """Sizes of the mixture of experts in each MLP's place; None for one MLP."""
        return None

    def validate(self) -> None:
        """Sizes positive and consistent; architectures extend this.

        Raises:
            ValueError: Naming the field, its value and the rule.
        """
        for name in ("n_layers", "n_heads", "d_model"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be at least 1")
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model={self.d_model} is not divisible by n_heads={self.n_heads}; "
                "every head has the same width"
            )
        for name in ("rope_base", "norm_eps", "init_std"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}; must be above 0")
        if not 0 < self.rope_fraction <= 1:
            raise ValueError(f"rope_fraction={self.rope_fraction}; must be above 0, at most 1")
        head_width = self.d_model // self.n_heads
        is_rotary = self.position is PositionEncoding.rope
        if is_rotary and int(head_width * self.rope_fraction) < 2:
            raise ValueError(
                f"heads of width {head_width} (d_model / n_heads) are too narrow to rotate "
                f"rope_fraction={self.rope_fraction} of them; widen d_model or use fewer heads"
            )
        if not self.mlp_ratio * self.d_model < 2**62:
            raise ValueError(f"mlp_ratio={self.mlp_ratio}; so many hidden units cannot be counted")
        if self.mlp is not MlpKind.none and self.d_hidden < 1:
            raise ValueError(f"mlp_ratio={self.mlp_ratio}; leaves no hidden unit")
