"""The kinds of a transformer's components, and the sizes of its layers.

This module imports no torch, so that a configuration is composed without it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class NormKind(str, Enum):
    """LayerNorm as in GPT-2, RMSNorm as in Llama."""

    layernorm = "layernorm"
    rmsnorm = "rmsnorm"


class MlpKind(str, Enum):
    """GPT-2's GELU network, the same with SiLU, the gated one of Llama and Mistral, or none."""

    gelu = "gelu"
    silu = "silu"
    gated_silu = "gated_silu"
    none = "none"


class ResidualInit(str, Enum):
    """How matrices start whose output is added to the residual stream: scaled by depth, or plain.

    Scaled divides the standard deviation by the root of twice the number of blocks, as GPT-2 does.
    Plain starts them as all other matrices, as the release of Part 4.1 does.
    """

    scaled = "scaled"
    plain = "plain"


class ZLossKind(str, Enum):
    """What a z-loss squares: the log-partition function, as PaLM, or the loss of each token."""

    log_partition = "log_partition"
    nll = "nll"


class PositionEncoding(str, Enum):
    """How positions enter attention.

    Rotary and relative (DeBERTa's) encodings combine distance with content. Learned absolute
    positions are GPT-2's. Position-only and uniform attention depends on distance alone. ALiBi
    lowers scores in proportion to distance, H-ALiBi hides tokens that are further away than its
    head allows; none leaves positions out.

    Source:
        Physics of Language Models, Part 1: GPT_rot, GPT_rel, GPT, GPT_pos and GPT_uni; Part 4.1:
        RoPE, NoPE, ALiBi and H-ALiBi.
    """

    rope = "rope"
    relative = "relative"
    learned = "learned"
    none = "none"
    position_only = "position_only"
    uniform = "uniform"
    alibi = "alibi"
    h_alibi = "h_alibi"

    @property
    def has_embedded_distances(self) -> bool:
        """Whether layers use embeddings of the distances between tokens."""
        return self in (PositionEncoding.relative, PositionEncoding.position_only)

    @property
    def is_content_free(self) -> bool:
        """Whether attention weights depend on distance alone."""
        return self in (PositionEncoding.position_only, PositionEncoding.uniform)

    @property
    def looks_back_only(self) -> bool:
        """Whether it is defined for distances to earlier tokens alone."""
        biased = (PositionEncoding.alibi, PositionEncoding.h_alibi)
        return self.is_content_free or self in biased


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """Sizes of one attention layer."""

    d_model: int
    n_heads: int
    n_kv_heads: int

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads

    @property
    def d_kv(self) -> int:
        """Width of all keys, and of all values."""
        return self.head_width * self.n_kv_heads


class ExpertsShape(NamedTuple):
    """Sizes of a mixture of experts.

    Attributes:
        n_experts: Experts per layer.
        n_active: Experts that each token is routed to.
        capacity_factor: Tokens that an expert accepts in training, as a multiple of an even split;
            further tokens are dropped. Outside of training no token is dropped.
    """

    n_experts: int
    n_active: int
    capacity_factor: float


def n_distances(seq_len: int, *, is_causal: bool) -> int:
    """Number of distances between the tokens of a window."""
    return seq_len if is_causal else 2 * seq_len - 1
