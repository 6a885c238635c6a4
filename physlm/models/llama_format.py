"""Settings and weights to and from `transformers` checkpoints of Llama and Mistral."""

from typing import Any

import torch
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


def llama_format(model: Decoder) -> tuple[Any, Weights]:
    """The `transformers` configuration and weights of a Llama or Mistral that equals the model.

    Raises:
        InputError: If the format cannot express the model.
    """
    from transformers import LlamaConfig, MistralConfig

    config = model.config
    needed = {
        "norm": NormKind.rmsnorm,
        "mlp": MlpKind.gated_silu,
        "has_bias": False,
        "position": PositionEncoding.rope,
        "rope_fraction": 1.0,
        "rope_heads_fraction": 1.0,
        "rope_is_interleaved": False,
    }
    require_expressible(
        model, "Llama", {"n_kv_heads", "sliding_window", "rope_base", "tie_embeddings"}, needed
    )
    shared = {
        "vocab_size": model.vocabulary_size,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_hidden,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.attention_shape.n_kv_heads,
        "max_position_embeddings": model.seq_len,
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "tie_word_embeddings": config.tie_embeddings,
    }
    theirs: Any = LlamaConfig(**shared)
    if config.sliding_window is not None:
        theirs = MistralConfig(**shared, sliding_window=config.sliding_window)
    weights = {
        new: part
        for name, weight in untied_weights(model).items()
        for new, part in _split_for_llama(name, weight, config)
    }
    return theirs, weights


def from_llama(source: Any) -> Decoder:
    """A decoder that equals a Llama or Mistral of `transformers`.

    Raises:
        InputError: If the checkpoint has settings that a decoder cannot express.
    """
    theirs = source.config
    is_windowed = theirs.model_type == "mistral"  # Llama ignores this setting
    window = {"sliding_window": theirs.sliding_window} if is_windowed else {}
    rope = {"rope_type": "default", "rope_theta": theirs.rope_parameters["rope_theta"]}
    expect_settings(
        theirs,
        {
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "hidden_size",
            "intermediate_size",
            "rms_norm_eps",
            "tie_word_embeddings",
            "vocab_size",
            "max_position_embeddings",
        }
        | window.keys(),
        rope_parameters=rope,
        head_dim=theirs.hidden_size // theirs.num_attention_heads,
    )
    config = DecoderConfig(
        n_layers=theirs.num_hidden_layers,
        n_heads=theirs.num_attention_heads,
        d_model=theirs.hidden_size,
        n_kv_heads=theirs.num_key_value_heads,
        mlp_ratio=theirs.intermediate_size / theirs.hidden_size,
        mlp=MlpKind.gated_silu,
        norm=NormKind.rmsnorm,
        norm_eps=theirs.rms_norm_eps,
        has_bias=False,
        tie_embeddings=theirs.tie_word_embeddings,
        rope_base=theirs.rope_parameters["rope_theta"],
        **window,
    )
    model = Decoder(config, theirs.vocab_size, theirs.max_position_embeddings, seed=0)
    given = source.state_dict()
    weights = {
        name: torch.cat([given[new] for new, _ in _split_for_llama(name, weight, config)])
        for name, weight in model.state_dict().items()
    }
    return filled(model, weights)


def _split_for_llama(name: str, weight: Tensor, config: DecoderConfig) -> list[tuple[str, Tensor]]:
    """Llama's name for one of our weights; the fused projection becomes three."""
    top = {
        "embedding.weight": "model.embed_tokens.weight",
        "norm.weight": "model.norm.weight",
        "unembedding.weight": "lm_head.weight",
    }
    if name in top:
        return [(top[name], weight)]
    _, layer, part = name.split(".", 2)
    prefix = f"model.layers.{layer}"
    if part == "attention.qkv.weight":
        shape = config.attention_shape
        split = torch.split(weight, [shape.d_model, shape.d_kv, shape.d_kv])
        return [
            (f"{prefix}.self_attn.{letter}_proj.weight", w)
            for letter, w in zip("qkv", split, strict=True)
        ]
    parts = {
        "attention_norm.weight": "input_layernorm.weight",
        "attention.out.weight": "self_attn.o_proj.weight",
        "mlp_norm.weight": "post_attention_layernorm.weight",
        "mlp.gate.weight": "mlp.gate_proj.weight",
        "mlp.up.weight": "mlp.up_proj.weight",
        "mlp.down.weight": "mlp.down_proj.weight",
    }
    return [(f"{prefix}.{parts[part]}", weight)]
