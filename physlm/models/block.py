"""A pre-norm block: a mixer, then a channel, each added to the residual stream."""

from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.architecture import TransformerConfig
from physlm.models.channels.mlp import GatedSiluMlp, GeluMlp
from physlm.models.channels.moe import Experts
from physlm.models.components import MlpKind, NormKind, PositionEncoding
from physlm.models.context import Channel, Context, Mixer
from physlm.models.mixers.attention import Attention
from physlm.models.mixers.position_attention import PositionOnlyAttention
from physlm.models.mixers.relative import RelativeAttention
from physlm.models.position import Rotary
from physlm.models.state import MixerState


class Block(nn.Module):
    """A mixer, then a channel; each reads a normalised stream and adds its output to it."""

    def __init__(self, config: TransformerConfig, rotary: Rotary | None) -> None:
        super().__init__()
        self.attention_norm = norm(config)
        self.attention = _mixer(config, rotary)
        self.mlp = _channel(config)
        self.mlp_norm = None if self.mlp is None else norm(config)

    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """The residual stream after this block."""
        read = self.attention_norm(x)
        x = x + self.attention(read, context)
        if self.mlp is not None and self.mlp_norm is not None:
            x = x + self.mlp(self.mlp_norm(x), context)
        if context.observer is not None:
            context.observer.add(self.attention.patterns(read, context), x)
        return x

    def new_state(self) -> MixerState:
        """The block's empty decoding state."""
        return self.attention.new_state()

    def remember(self, x: Float[Tensor, "tokens 1 width"], context: Context) -> None:
        """Add tokens to the decoding state, given the residual stream before this block."""
        self.attention.remember(self.attention_norm(x), context)

    def attention_patterns(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch heads seq seq"]:
        """Attention weights of this block, given the residual stream before it."""
        return self.attention.patterns(self.attention_norm(x), context)


def norm(config: TransformerConfig) -> nn.Module:
    """A normalisation layer of the configured kind."""
    if config.norm is NormKind.rmsnorm:
        return nn.RMSNorm(config.d_model, eps=config.norm_eps)
    return nn.LayerNorm(config.d_model, eps=config.norm_eps, bias=config.has_bias)


def _mixer(config: TransformerConfig, rotary: Rotary | None) -> Mixer:
    if config.mixer is not None:
        return config.mixer.build(config)
    shape, has_bias = config.attention_shape, config.has_bias
    if config.position is PositionEncoding.relative:
        return RelativeAttention(shape, has_bias=has_bias)
    if config.position.is_content_free:
        is_learned = config.position is PositionEncoding.position_only
        return PositionOnlyAttention(shape, has_bias=has_bias, is_learned=is_learned)
    return Attention(shape, rotary, has_bias=has_bias)


def _channel(config: TransformerConfig) -> Channel | None:
    if config.mlp is MlpKind.none:
        return None
    if config.experts is not None:
        return Experts(config.d_model, config.d_hidden, config.mlp, config.experts)
    kind = GeluMlp if config.mlp is MlpKind.gelu else GatedSiluMlp
    return kind(config.d_model, config.d_hidden, has_bias=config.has_bias)
