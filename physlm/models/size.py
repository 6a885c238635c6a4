"""How many parameters a decoder has, in closed form."""

from physlm.models.decoder import DecoderConfig, NormKind
from physlm.models.mlp import MlpKind
from physlm.models.position import PositionEncoding


def n_parameters(config: DecoderConfig, vocabulary_size: int, seq_len: int) -> dict[str, int]:
    """Parameters by role, without building the model.

    For GPT-2 with width d, L layers and V tokens the total is about 12 L d^2 + V d.

    Source:
        Physics of Language Models, Part 3.3, section 2.2: embeddings count used tokens only.
    """
    d, shape = config.d_model, config.attention_shape
    bias = int(config.has_bias)
    qkv = d + 2 * shape.d_kv
    attention = (d + bias) * qkv + (d + bias) * d
    n_norms = config.n_layers * (1 if config.mlp is MlpKind.none else 2) + 1
    norm = d if config.norm is NormKind.rmsnorm else (1 + bias) * d
    return {
        "embedding": vocabulary_size * d * (1 if config.is_tied else 2),
        "position": seq_len * d if config.position is PositionEncoding.learned else 0,
        "attention": config.n_layers * attention,
        "mlp": config.n_layers * _mlp(config, bias),
        "norm": n_norms * norm,
    }


def _mlp(config: DecoderConfig, bias: int) -> int:
    d, hidden = config.d_model, config.d_hidden
    n_up = {MlpKind.gelu: 1, MlpKind.gated_silu: 2, MlpKind.none: 0}[config.mlp]
    return n_up * (d + bias) * hidden + (hidden + bias) * d if n_up else 0
