"""Settings and weights to and from `transformers` checkpoints of GPT-NeoX."""

from typing import Any

from torch import Tensor

from physlm.models.architecture import DecoderConfig
from physlm.models.components import MlpKind, NormKind, PositionEncoding
from physlm.models.decoder import Decoder
from physlm.models.format_checks import (
    Weights,
    expect_settings,
    filled,
    require_expressible,
    untied_weights,
)
from physlm.models.position import rotated_pairs

_TOP = {
    "embedding": "gpt_neox.embed_in",
    "norm": "gpt_neox.final_layer_norm",
    "unembedding": "lm_head",
}
_PARTS = {
    "attention_norm": "input_layernorm",
    "attention.qkv": "attention.query_key_value",
    "attention.out": "attention.dense",
    "mlp_norm": "post_attention_layernorm",
    "mlp.up": "mlp.dense_h_to_4h",
    "mlp.down": "mlp.dense_4h_to_h",
}


def gpt_neox_format(model: Decoder) -> tuple[Any, Weights]:
    """The `transformers` configuration and weights of a GPT-NeoX that equals the model.

    GPT-NeoX is GPT-2 with rotary positions, the papers' reference model, if its residual stream is
    sequential (``use_parallel_residual=False``).

    Raises:
        InputError: If the format cannot express the model.
    """
    from transformers import GPTNeoXConfig

    config = model.config
    needed = {
        "norm": NormKind.layernorm,
        "mlp": MlpKind.gelu,
        "has_bias": True,
        "position": PositionEncoding.rope,
        "rope_heads_fraction": 1.0,
        "rope_is_interleaved": False,
        "n_kv_heads": None,
        "sliding_window": None,
    }
    require_expressible(model, "GPT-NeoX", {"rope_fraction", "rope_base", "tie_embeddings"}, needed)
    theirs = GPTNeoXConfig(
        vocab_size=model.vocabulary_size,
        hidden_size=config.d_model,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        intermediate_size=config.d_hidden,
        hidden_act="gelu_new",  # the tanh form
        max_position_embeddings=model.seq_len,
        layer_norm_eps=config.norm_eps,
        tie_word_embeddings=config.tie_embeddings,
        use_parallel_residual=False,
        attention_bias=True,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": config.rope_base,
            "partial_rotary_factor": _rotated_fraction(config),
        },
    )
    weights = untied_weights(model)
    return theirs, {
        _their_name(name): _by_head(weight, config.n_heads) if ".qkv." in name else weight
        for name, weight in weights.items()
    }


def from_gpt_neox(source: Any) -> Decoder:
    """A decoder that equals a GPT-NeoX of `transformers`.

    Raises:
        InputError: If the checkpoint has settings that a decoder cannot express.
    """
    theirs = source.config
    rope = theirs.rope_parameters
    known = {
        "hidden_act": "gelu_new",
        "use_parallel_residual": False,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": rope["rope_theta"],
            "partial_rotary_factor": rope["partial_rotary_factor"],
        },
    }
    read = {
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
        "layer_norm_eps",
        "tie_word_embeddings",
    }
    expect_settings(theirs, read | {"hidden_dropout", "classifier_dropout"}, **known)
    config = DecoderConfig(
        n_layers=theirs.num_hidden_layers,
        n_heads=theirs.num_attention_heads,
        d_model=theirs.hidden_size,
        mlp_ratio=theirs.intermediate_size / theirs.hidden_size,
        norm_eps=theirs.layer_norm_eps,
        tie_embeddings=theirs.tie_word_embeddings,
        rope_base=rope["rope_theta"],
        rope_fraction=rope["partial_rotary_factor"],
    )
    model = Decoder(config, theirs.vocab_size, theirs.max_position_embeddings, seed=0)
    given = source.state_dict()
    weights = {name: given[_their_name(name)] for name in untied_weights(model)}
    return filled(
        model,
        {
            name: _by_kind(weight, config.n_heads) if ".qkv." in name else weight
            for name, weight in weights.items()
        },
    )


def _rotated_fraction(config: DecoderConfig) -> float:
    """The fraction of a head that is rotated, in whole pairs."""
    width = config.attention_shape.head_width
    return 2 * rotated_pairs(width, config.rope_fraction) / width


def _their_name(name: str) -> str:
    owner, _, kind = name.rpartition(".")
    if owner in _TOP:
        return f"{_TOP[owner]}.{kind}"
    _, layer, part = owner.split(".", 2)
    return f"gpt_neox.layers.{layer}.{_PARTS[part]}.{kind}"


def _by_head(fused: Tensor, n_heads: int) -> Tensor:
    """Rows of queries, keys and values, head by head; ours are all queries, then all keys."""
    by_kind = fused.reshape(3, n_heads, -1, *fused.shape[1:])
    return by_kind.transpose(0, 1).reshape(fused.shape)


def _by_kind(fused: Tensor, n_heads: int) -> Tensor:
    """The inverse of ``_by_head``."""
    by_head = fused.reshape(n_heads, 3, -1, *fused.shape[1:])
    return by_head.transpose(0, 1).reshape(fused.shape)
