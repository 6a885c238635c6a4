"""Number of parameters of a decoder or encoder, in closed form."""

from physlm.models.architecture import TransformerConfig
from physlm.models.components import MlpKind, NormKind, PositionEncoding, n_distances


def n_parameters(config: TransformerConfig, vocabulary_size: int, seq_len: int) -> dict[str, int]:
    """Parameters by role, without building the model.

    For GPT-2 with width d, L layers and V tokens the total is about 12 L d^2 + V d.

    Source:
        Physics of Language Models, Part 3.3, section 2.2: embeddings count used tokens only.
    """
    d, bias = config.d_model, int(config.has_bias)
    attention = (
        _attention(config, bias) if config.mixer is None else config.mixer.n_parameters(config)
    )
    n_norms = config.n_layers * (1 if config.mlp is MlpKind.none else 2) + 1
    norm = d if config.norm is NormKind.rmsnorm else (1 + bias) * d
    n_embedded = vocabulary_size + config.n_special
    return {
        "embedding": (n_embedded if config.tie_embeddings else n_embedded + vocabulary_size) * d,
        "position": _position(config, seq_len),
        "attention": config.n_layers * attention,
        "mlp": config.n_layers * _mlp(config, bias),
        "norm": n_norms * norm,
    }


def _attention(config: TransformerConfig, bias: int) -> int:
    d = config.d_model
    d_read = d if config.position.is_content_free else d + 2 * config.attention_shape.d_kv
    return (d + bias) * d_read + (d + bias) * d


def _position(config: TransformerConfig, seq_len: int) -> int:
    """Position embeddings, and each layer's projections of distance embeddings."""
    d, shape = config.d_model, config.attention_shape
    if config.position is PositionEncoding.learned:
        return seq_len * d
    if not config.position.has_embedded_distances:
        return 0
    is_relative = config.position is PositionEncoding.relative
    d_read = d + shape.d_kv if is_relative else shape.n_heads
    return (n_distances(seq_len, is_causal=config.is_causal) + config.n_layers * d_read) * d


def _mlp(config: TransformerConfig, bias: int) -> int:
    d, hidden = config.d_model, config.d_hidden
    n_up = {MlpKind.gelu: 1, MlpKind.gated_silu: 2, MlpKind.none: 0}[config.mlp]
    if config.experts is not None:
        return (n_up + 1) * d * hidden + d * config.experts.n_experts
    return n_up * (d + bias) * hidden + (hidden + bias) * d if n_up else 0
