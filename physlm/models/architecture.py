"""Configuration schemas of decoders and encoders.

This module imports no torch, so that a configuration is composed without it.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.models.architecture_checks import (
    check_canon,
    check_experts,
    check_mixer,
    check_position,
    check_z_loss,
)
from physlm.models.canon_config import CanonConfig
from physlm.models.components import (
    AttentionShape,
    ExpertsShape,
    MlpKind,
    NormKind,
    PositionEncoding,
    ResidualInit,
    ZLossKind,
)
from physlm.models.size import matched_width, require_matched
from physlm.registry import register
from physlm.run_id import LATER
from physlm.schema import Schema

if TYPE_CHECKING:
    from physlm.models.context import Mixer
    from physlm.models.decoder import Decoder
    from physlm.models.encoder import Encoder
    from physlm.models.language_model import LanguageModel
    from physlm.models.penalty import Penalty


@dataclass(kw_only=True, slots=True)
class ModelConfig(Schema, ABC):
    """Configuration of a model; each architecture adds its own fields.

    Attributes:
        libraries: Libraries that compute it, in addition to those of every model.
        is_published: Whether it is a finished model that reads text, and is measured as it is.
    """

    libraries: ClassVar[tuple[str, ...]] = ()
    is_published: ClassVar[bool] = False

    @abstractmethod
    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "LanguageModel":
        """A freshly initialised model."""

    def to_train(self, model: "LanguageModel", seed: int) -> "LanguageModel":  # noqa: ARG002
        """The model to train, given the model with its initial weights."""
        return model

    def to_measure(self, model: "LanguageModel") -> "LanguageModel":
        """The model to measure, given the trained model."""
        return model


@dataclass(kw_only=True, slots=True)
class MixerConfig(Schema, ABC):
    """Configuration of a mixer that replaces attention in every block; each adds its own fields.

    Attributes:
        reads: Which of the fields ``position``, ``n_kv_heads`` and ``sliding_window`` of the
            architecture this mixer uses; the others must be none.
        is_causal: Whether tokens read earlier ones only; then it is refused in an encoder.
    """

    reads: ClassVar[frozenset[str]] = frozenset()
    is_causal: ClassVar[bool] = True

    def check(self, config: "TransformerConfig") -> None:
        """Require an architecture that the mixer fits into; the default takes any.

        Raises:
            ValueError: Naming the field, its value and the rule.
        """

    @abstractmethod
    def build(self, config: "TransformerConfig") -> "Mixer":
        """The mixer of one block of such an architecture; the model initialises it."""

    @abstractmethod
    def n_parameters(self, config: "TransformerConfig") -> int:
        """Parameters of one block's mixer in closed form, without Canon at B."""

    def canon_width(self, config: "TransformerConfig") -> int:  # noqa: ARG002
        """Channels of Canon at B in this mixer; 0, the default, if it has no place for it.

        A mixer that has one builds the layer as ``canon_at(config.canon, "B", width)`` and calls
        it as ``canon(x, context)``; see ``physlm.models.canon``.
        """
        return 0


@dataclass(kw_only=True, slots=True)
class PenaltyConfig(Schema, ABC):
    """Configuration of a term of the training loss that is made of attention weights."""

    @abstractmethod
    def build(self, seq_len: int, seed: int) -> "Penalty":
        """The term, for windows of up to ``seq_len`` tokens; what is random comes from the seed."""


@dataclass(kw_only=True, slots=True)
class TransformerConfig(ModelConfig):
    """Pre-norm blocks between an embedding and its projection back to tokens."""

    n_layers: int = 2  # blocks
    n_heads: int = 2  # attention heads of each block
    d_model: int = 128  # width of the residual stream
    position: PositionEncoding = PositionEncoding.rope  # how attention knows positions
    rope_fraction: float = 1.0  # fraction of each head that is rotated
    rope_base: float = 10_000.0  # longest wavelength of rotations, in tokens over 2 pi
    norm: NormKind = NormKind.layernorm  # before attention, MLP and the output
    norm_eps: float = 1e-5  # added to the variance in each norm
    mlp: MlpKind = MlpKind.gelu  # activation, gated or not
    mlp_ratio: float = 4.0  # hidden width over d_model
    has_bias: bool = True  # in linear layers and norms
    tie_embeddings: bool = True  # input embedding = output projection
    init_std: float = 0.02  # standard deviation of initial weights
    # Initialisation of the matrices whose output is added to the residual stream.
    residual_init: ResidualInit = field(default=ResidualInit.scaled, metadata=LATER)
    # RMSNorm over the queries of all heads, and over the keys, before they are rotated.
    has_qk_norm: bool = field(default=False, metadata=LATER)
    # Rope: fraction of the heads that are rotated, the first ones.
    rope_heads_fraction: float = field(default=1.0, metadata=LATER)
    # Rope: neighbouring dimensions are rotated together; false: those half of the width apart.
    rope_is_interleaved: bool = field(default=False, metadata=LATER)
    # Weight of the mean squared log-partition function of the scores in the training loss.
    z_loss: float = field(default=0.0, metadata=LATER)
    # What it squares; nll: the loss of each token, as in the release of Part 4.1.
    z_loss_kind: ZLossKind = field(default=ZLossKind.log_partition, metadata=LATER)
    # Sets the MLP's width so that all but embeddings has the size of a plain rope model.
    is_size_matched: bool = field(default=False, metadata=LATER)
    # Canon layers in every block; null: none.
    canon: CanonConfig | None = field(default=None, metadata=LATER)
    # Replaces attention; null: attention of the kind that `position` selects.
    mixer: MixerConfig | None = field(default=None, metadata=LATER)

    @property
    @abstractmethod
    def is_causal(self) -> bool:
        """Whether each token sees only itself and earlier tokens."""

    @property
    def n_special(self) -> int:
        """Tokens that are read but never predicted."""
        return 0

    @property
    def d_hidden(self) -> int:
        """Hidden width of the MLP."""
        if self.is_size_matched:
            return matched_width(self)
        return round(self.mlp_ratio * self.d_model)

    @property
    def attention_shape(self) -> AttentionShape:
        """Sizes of each attention layer."""
        return AttentionShape(self.d_model, self.n_heads, self.n_heads)

    @property
    def canon_b_width(self) -> int:
        """Channels of Canon at B; 0 if the mixer has no place for it."""
        if self.mixer is not None:
            return self.mixer.canon_width(self)
        if self.position.is_content_free:
            return self.d_model  # there are values only
        return self.d_model + 2 * self.attention_shape.d_kv

    @property
    def attention_window(self) -> int | None:
        """Tokens that a token may look back on, itself included; None for all."""
        return None

    @property
    def experts(self) -> ExpertsShape | None:
        """Sizes of the mixture of experts that replaces each MLP; None for one MLP."""
        return None

    def validate(self) -> None:
        """Require positive and consistent sizes; architectures extend this.

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
        check_z_loss(self)
        check_position(self)
        check_mixer(self)
        if not self.mlp_ratio * self.d_model < 2**62:
            raise ValueError(f"mlp_ratio={self.mlp_ratio} makes too many hidden units; lower it")
        if self.mlp is not MlpKind.none and round(self.mlp_ratio * self.d_model) < 1:
            raise ValueError(f"mlp_ratio={self.mlp_ratio} leaves no hidden unit; raise it")
        check_canon(self)
        if self.is_size_matched:
            require_matched(self)


@register("model", "decoder")
@dataclass(kw_only=True, slots=True)
class DecoderConfig(TransformerConfig):
    """A pre-norm decoder; the defaults are the papers' GPT-2 with rotary positions.

    Source:
        Physics of Language Models, Part 3.3, section 2.2 (GPT2-L-H: L layers, H heads of 64).
    """

    n_kv_heads: int | None = None  # null: as many as n_heads
    sliding_window: int | None = None  # tokens a token may look back on, itself included
    # Above 1, each MLP is a mixture of experts, whose hidden units add up to d_hidden.
    n_experts: int = field(default=1, metadata=LATER)
    n_active_experts: int = field(default=1, metadata=LATER)  # per token
    expert_capacity: float = field(default=2.0, metadata=LATER)  # multiple of an even split
    load_balance: float = field(
        default=0.01, metadata=LATER
    )  # weight of the routers' load_balancing_loss
    # A term of the training loss that is made of attention weights; null: none.
    penalty: PenaltyConfig | None = field(default=None, metadata=LATER)

    @property
    def is_causal(self) -> bool:
        """Each token sees only itself and earlier tokens."""
        return True

    @property
    def attention_shape(self) -> AttentionShape:
        """Sizes of each attention layer."""
        return AttentionShape(self.d_model, self.n_heads, self.n_kv_heads or self.n_heads)

    @property
    def attention_window(self) -> int | None:
        """Tokens that a token may look back on, itself included; None for all."""
        return self.sliding_window

    @property
    def experts(self) -> ExpertsShape | None:
        """Sizes of the mixture of experts that replaces each MLP; None for one MLP."""
        if self.n_experts == 1:
            return None
        return ExpertsShape(self.n_experts, self.n_active_experts, self.expert_capacity)

    def validate(self) -> None:
        """Require also consistent heads, window and experts."""
        TransformerConfig.validate(self)
        check_experts(self)
        if self.n_kv_heads is not None and (self.n_kv_heads < 1 or self.n_heads % self.n_kv_heads):
            raise ValueError(f"n_kv_heads={self.n_kv_heads}; must divide n_heads={self.n_heads}")
        if self.n_kv_heads is not None and self.position.is_content_free:
            raise ValueError(
                f"n_kv_heads={self.n_kv_heads} with position={self.position.value}, which has no "
                "keys to share; leave it out"
            )
        if self.sliding_window is not None and self.sliding_window < 1:
            raise ValueError(f"sliding_window={self.sliding_window}; must be at least 1")

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Decoder":
        """A decoder initialised from the seed's own stream."""
        from physlm.models.decoder import Decoder  # here, as it needs torch

        return Decoder(self, vocabulary_size, seq_len, seed)


@register("model", "encoder")
@dataclass(kw_only=True, slots=True)
class EncoderConfig(TransformerConfig):
    """A masked language model; the defaults are BERT's, in the blocks of the decoder.

    Source:
        Devlin et al. (2019), BERT. Theirs is post-norm, with one more layer before the scores;
        pre-norm trains stably without tuning.
    """

    position: PositionEncoding = PositionEncoding.learned
    masked_fraction: float = 0.15  # of the tokens, which the model has to predict

    @property
    def is_causal(self) -> bool:
        """Tokens see both sides."""
        return False

    @property
    def n_special(self) -> int:
        """The mask token."""
        return 1

    def validate(self) -> None:
        """Require positions that allow both sides, and a fraction of tokens to mask."""
        TransformerConfig.validate(self)
        if self.position.looks_back_only:
            raise ValueError(
                f"position={self.position.value} looks back only; use learned, relative, rope or "
                "none in an encoder"
            )
        if not 0 < self.masked_fraction <= 1:
            raise ValueError(f"masked_fraction={self.masked_fraction}; must be above 0, at most 1")

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Encoder":
        """An encoder initialised from the seed's own stream."""
        from physlm.models.encoder import Encoder  # here, as it needs torch

        return Encoder(self, vocabulary_size, seq_len, seed)
