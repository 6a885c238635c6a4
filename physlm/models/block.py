"""A pre-norm block: a mixer, then a channel, each added to the residual stream."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.alibi import slopes_and_reach
from physlm.models.architecture import TransformerConfig
from physlm.models.canon import Canon, canon_at
from physlm.models.channels.mlp import GatedSiluMlp, GeluMlp, SiluMlp
from physlm.models.channels.moe import Experts
from physlm.models.components import MlpKind, NormKind, PositionEncoding
from physlm.models.context import Channel, Context, Mixer
from physlm.models.mixers.attention import Attention
from physlm.models.mixers.position_attention import PositionOnlyAttention
from physlm.models.mixers.relative import RelativeAttention
from physlm.models.position import Rotary
from physlm.models.state import BlockState


class Block(nn.Module):
    """A mixer, then a channel; each reads a normalised stream and adds its output to it.

    Canon layers, if configured, are part of what mixer (A) and channel (C) read; those inside the
    mixer (B) and the channel (D) belong to these. A mixer takes B, or convolutions of its own
    kind, as modules: ``canon_at(config.canon, "B", width)`` in its ``MixerConfig.build``, called
    as ``self.canon(x, context)``. The block numbers every `Canon` in it, which gives each a
    decoding state, besides the mixer's.
    """

    def __init__(self, config: TransformerConfig, rotary: Rotary | None) -> None:
        super().__init__()
        self.attention_norm = norm(config)
        self.canon_a = canon_at(config.canon, "A", config.d_model)
        self.attention = _mixer(config, rotary)
        self.mlp = _channel(config)
        self.mlp_norm = None if self.mlp is None else norm(config)
        self.canon_c = canon_at(config.canon, "C", config.d_model)
        for number, convolution in enumerate(self.convolutions):
            convolution.number = number

    @property
    def convolutions(self) -> list[Canon]:
        """All convolutions in the block, each at the place of its number."""
        return [module for module in self.modules() if isinstance(module, Canon)]

    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """The residual stream after this block."""
        read = self._read(x, context)
        x = x + self.attention(read, context)
        if self.mlp is not None and self.mlp_norm is not None:
            normed = self.mlp_norm(x)
            x = x + self.mlp(
                normed if self.canon_c is None else self.canon_c(normed, context), context
            )
        if context.observer is not None:
            context.observer.add(self.attention.patterns(read, context), x)
        return x

    def new_state(self) -> BlockState:
        """The block's empty decoding state."""
        own = [convolution.new_state() for convolution in self.convolutions]
        return BlockState(self.attention.new_state(), own)

    def remember(self, x: Float[Tensor, "tokens 1 width"], context: Context) -> None:
        """Add tokens to the decoding state, given the residual stream before this block.

        Raises:
            InputError: If the block has convolutions, or its mixer cannot.
        """
        require_no_convolutions(self)
        self.attention.remember(self.attention_norm(x), context)

    def attention_patterns(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads seq seq"]:
        """Attention weights of this block, given the residual stream before it."""
        return self.attention.patterns(self._read(x, context), context)

    def _read(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """What the mixer reads of the residual stream."""
        normed: Tensor = self.attention_norm(x)
        return normed if self.canon_a is None else self.canon_a(normed, context)


def require_no_convolutions(block: Block) -> None:
    """Require that tokens may leave the model before a block.

    Raises:
        InputError: If convolutions in the block need the inputs of every token.
    """
    if block.convolutions:
        raise InputError(
            "no early exit in a model with Canon layers or short convolutions, which read every "
            "token in order; use a model without them"
        )


def norm(config: TransformerConfig) -> nn.Module:
    """A normalisation layer of the configured kind."""
    if config.norm is NormKind.rmsnorm:
        return nn.RMSNorm(config.d_model, eps=config.norm_eps)
    return nn.LayerNorm(config.d_model, eps=config.norm_eps, bias=config.has_bias)


def _mixer(config: TransformerConfig, rotary: Rotary | None) -> Mixer:
    if config.mixer is not None:
        return config.mixer.build(config)
    shape, has_bias, canon = config.attention_shape, config.has_bias, config.canon
    qk_norm_eps = config.norm_eps if config.has_qk_norm else None
    if config.position is PositionEncoding.relative:
        return RelativeAttention(shape, has_bias=has_bias, canon=canon, qk_norm_eps=qk_norm_eps)
    if config.position.is_content_free:
        is_learned = config.position is PositionEncoding.position_only
        return PositionOnlyAttention(shape, has_bias=has_bias, is_learned=is_learned, canon=canon)
    return Attention(
        shape,
        rotary,
        has_bias=has_bias,
        canon=canon,
        qk_norm_eps=qk_norm_eps,
        slopes_and_reach=slopes_and_reach(config.position, config.n_heads),
    )


def _channel(config: TransformerConfig) -> Channel | None:
    if config.mlp is MlpKind.none:
        return None
    if config.experts is not None:
        return Experts(config.d_model, config.d_hidden, config.mlp, config.experts)
    kinds: dict[MlpKind, Callable[..., Channel]] = {
        MlpKind.gelu: GeluMlp,
        MlpKind.silu: SiluMlp,
        MlpKind.gated_silu: GatedSiluMlp,
    }
    return kinds[config.mlp](
        config.d_model, config.d_hidden, has_bias=config.has_bias, canon=config.canon
    )
