"""A block: attention, then an MLP, each on a normalised copy and added back."""

from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.architecture import NormKind, TransformerConfig
from physlm.models.attention import Attention
from physlm.models.cache import LayerCache, Place
from physlm.models.experts import Experts
from physlm.models.mlp import GatedSiluMlp, GeluMlp, MlpKind
from physlm.models.position import PositionEncoding, Rotary
from physlm.models.positional import PositionalAttention
from physlm.models.relative import RelativeAttention
from physlm.models.sight import Sight


class Block(nn.Module):
    """Attention, then the MLP, each on a normalised copy and added back."""

    def __init__(self, config: TransformerConfig, rotary: Rotary | None) -> None:
        super().__init__()
        self.attention_norm = norm(config)
        self.attention = _attention(config, rotary)
        self.mlp = _mlp(config)
        self.mlp_norm = None if self.mlp is None else norm(config)

    def forward(
        self, x: Float[Tensor, "batch seq width"], sight: Sight, cache: LayerCache | None = None
    ) -> Float[Tensor, "batch seq width"]:
        """The residual stream after this block; fills the cache."""
        return self._transformed(x + self.attention(self.attention_norm(x), sight, cache))

    def balanced(
        self, x: Float[Tensor, "batch seq width"], sight: Sight
    ) -> tuple[Float[Tensor, "batch seq width"], Float[Tensor, ""]]:
        """The residual stream after this block, and how unevenly its experts were chosen."""
        assert isinstance(self.mlp, Experts) and self.mlp_norm is not None  # noqa: PT018
        x = x + self.attention(self.attention_norm(x), sight)
        out, unevenness = self.mlp.balanced(self.mlp_norm(x))
        return x + out, unevenness

    def attention_weights(
        self, x: Float[Tensor, "batch seq width"], sight: Sight
    ) -> Float[Tensor, "batch heads seq seq"]:
        """How much each token takes from each in this block."""
        return self.attention.weights(self.attention_norm(x), sight)

    def decode(
        self, x: Float[Tensor, "batch 1 width"], cache: LayerCache, place: Place
    ) -> Float[Tensor, "batch 1 width"]:
        """The residual stream of one more token of each row."""
        attended = self.attention.decode(self.attention_norm(x), cache, place)
        return self._transformed(x + attended)

    def _transformed(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch seq width"]:
        if self.mlp is not None and self.mlp_norm is not None:
            x = x + self.mlp(self.mlp_norm(x))
        return x


def norm(config: TransformerConfig) -> nn.Module:
    """The normalisation that every part reads through."""
    if config.norm is NormKind.rmsnorm:
        return nn.RMSNorm(config.d_model, eps=config.norm_eps)
    return nn.LayerNorm(config.d_model, eps=config.norm_eps, bias=config.has_bias)


def _attention(config: TransformerConfig, rotary: Rotary | None) -> Attention | PositionalAttention:
    shape, has_bias = config.attention_shape, config.has_bias
    if config.position is PositionEncoding.relative:
        return RelativeAttention(shape, has_bias=has_bias)
    if config.position.is_content_free:
        is_learned = config.position is PositionEncoding.position_only
        return PositionalAttention(shape, has_bias=has_bias, is_learned=is_learned)
    return Attention(shape, rotary, has_bias=has_bias)


def _mlp(config: TransformerConfig) -> GeluMlp | GatedSiluMlp | Experts | None:
    if config.mlp is MlpKind.none:
        return None
    if config.experts is not None:
        return Experts(config.d_model, config.d_hidden, config.mlp, config.experts)
    kind = GeluMlp if config.mlp is MlpKind.gelu else GatedSiluMlp
    return kind(config.d_model, config.d_hidden, has_bias=config.has_bias)
