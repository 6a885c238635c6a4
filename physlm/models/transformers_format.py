"""Weights to and from `transformers` checkpoints of GPT-2 and Llama."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from physlm.errors import InputError
from physlm.models.architecture import NormKind
from physlm.models.decoder import Decoder, DecoderConfig
from physlm.models.mlp import MlpKind
from physlm.models.position import PositionEncoding
from physlm.models.pretrained_weights import load_pretrained

Weights = dict[str, Tensor]


def save_transformers(model: Decoder, folder: Path) -> None:
    """Write a decoder as a checkpoint folder that `transformers` opens.

    Raises:
        InputError: If neither GPT-2 nor Llama can express the architecture.
    """
    from transformers import AutoModelForCausalLM

    config, weights = _gpt2_format(model) if _is_gpt2(model.config) else _llama_format(model)
    exported = AutoModelForCausalLM.from_config(config)
    missing, unexpected = exported.load_state_dict(weights, strict=False)
    _expect_complete([name for name in missing if name != "lm_head.weight"], unexpected)
    exported.save_pretrained(folder, safe_serialization=True)


def load_transformers(folder: Path) -> Decoder:
    """A decoder with the weights of a local GPT-2, Llama or Mistral checkpoint folder.

    Raises:
        InputError: If the folder holds no such checkpoint, or lacks weights of it.
    """
    source = load_pretrained(folder, torch.float32)
    readers = {"gpt2": _from_gpt2, "llama": _from_llama, "mistral": _from_llama}
    kind = source.config.model_type
    if kind not in readers:
        raise InputError(f"{folder} holds a {kind} model; only gpt2, llama and mistral are known")
    return readers[kind](source)


def _is_gpt2(config: DecoderConfig) -> bool:
    return config.position is PositionEncoding.learned


def _require(config: DecoderConfig, kind: str, **needed: object) -> None:
    for name, value in needed.items():
        if getattr(config, name) != value:
            raise InputError(
                f"model.{name}={getattr(config, name)}; a {kind} checkpoint needs {value}"
            )


def _expect_settings(theirs: Any, **known: object) -> None:
    """Refuse a checkpoint that would load but score otherwise."""
    for name, value in known.items():
        found = getattr(theirs, name, None)
        if found is not None and found != value:
            raise InputError(f"the checkpoint has {name}={found}; only {value} is known")


def _expect_complete(missing: list[str], unexpected: list[str]) -> None:
    if missing or unexpected:
        raise InputError(f"weights do not match: missing {missing}, unexpected {unexpected}")


def _gpt2_format(model: Decoder) -> tuple[Any, Weights]:
    from transformers import GPT2Config

    config = model.config
    _require(config, "GPT-2", norm=NormKind.layernorm, mlp=MlpKind.gelu, has_bias=True,
             is_tied=True, n_kv_heads=None, sliding_window=None, n_experts=1)  # fmt: skip
    eos = model.vocabulary_size - 1
    theirs = GPT2Config(
        vocab_size=model.vocabulary_size, n_positions=model.seq_len, n_embd=config.d_model,
        n_layer=config.n_layers, n_head=config.n_heads, n_inner=config.d_hidden,
        layer_norm_epsilon=config.norm_eps, bos_token_id=eos, eos_token_id=eos,
    )  # fmt: skip
    return theirs, _renamed(model.state_dict(), _gpt2_names(config.n_layers), _transpose_linear)


def _from_gpt2(source: Any) -> Decoder:
    theirs = source.config
    config = DecoderConfig(
        n_layers=theirs.n_layer, n_heads=theirs.n_head, d_model=theirs.n_embd,
        mlp_ratio=(theirs.n_inner or 4 * theirs.n_embd) / theirs.n_embd,
        position=PositionEncoding.learned, norm_eps=theirs.layer_norm_epsilon,
    )  # fmt: skip
    _expect_settings(theirs, activation_function="gelu_new", tie_word_embeddings=True,
                     scale_attn_weights=True, scale_attn_by_inverse_layer_idx=False)  # fmt: skip
    names = {theirs: ours for ours, theirs in _gpt2_names(theirs.n_layer).items()}
    weights = _renamed(source.state_dict(), names, _transpose_linear)
    return _filled(Decoder(config, theirs.vocab_size, theirs.n_positions, seed=0), weights)


def _transpose_linear(name: str, weight: Tensor) -> Tensor:
    """GPT-2 keeps its linear layers as (in, out); torch keeps (out, in)."""
    tables = ("wte", "wpe", "embedding", "positions")
    is_linear = weight.dim() == 2 and not any(table in name for table in tables)
    return weight.T.contiguous() if is_linear else weight


def _gpt2_names(n_layers: int) -> dict[str, str]:
    parts = {
        "attention_norm": "ln_1", "attention.qkv": "attn.c_attn",
        "attention.out": "attn.c_proj", "mlp_norm": "ln_2",
        "mlp.up": "mlp.c_fc", "mlp.down": "mlp.c_proj",
    }  # fmt: skip
    names = {"embedding.weight": "transformer.wte.weight"}
    names["positions.weight"] = "transformer.wpe.weight"
    for kind in ("weight", "bias"):
        names[f"norm.{kind}"] = f"transformer.ln_f.{kind}"
        for i in range(n_layers):
            for ours, theirs in parts.items():
                names[f"blocks.{i}.{ours}.{kind}"] = f"transformer.h.{i}.{theirs}.{kind}"
    return names


def _renamed(
    weights: Weights, names: dict[str, str], convert: Callable[[str, Tensor], Tensor]
) -> Weights:
    return {names[name]: convert(name, w) for name, w in weights.items() if name in names}


def _filled(model: Decoder, weights: Weights) -> Decoder:
    missing, unexpected = model.load_state_dict(weights, strict=False)
    tied = {"unembedding.weight"} if model.config.is_tied else set()
    _expect_complete([name for name in missing if name not in tied], unexpected)
    return model


def _llama_format(model: Decoder) -> tuple[Any, Weights]:
    from transformers import LlamaConfig, MistralConfig

    config = model.config
    _require(config, "Llama", norm=NormKind.rmsnorm, mlp=MlpKind.gated_silu, has_bias=False,
             position=PositionEncoding.rope, rope_fraction=1.0, n_experts=1)  # fmt: skip
    eos = model.vocabulary_size - 1
    shared = {
        "vocab_size": model.vocabulary_size, "hidden_size": config.d_model,
        "intermediate_size": config.d_hidden, "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.attention_shape.n_kv_heads,
        "max_position_embeddings": model.seq_len, "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "tie_word_embeddings": config.is_tied, "bos_token_id": eos, "eos_token_id": eos,
    }  # fmt: skip
    theirs: Any = LlamaConfig(**shared)
    if config.sliding_window is not None:
        theirs = MistralConfig(**shared, sliding_window=config.sliding_window)
    weights = {
        new: part
        for name, weight in model.state_dict().items()
        for new, part in _split_for_llama(name, weight, config)
    }
    return theirs, weights


def _from_llama(source: Any) -> Decoder:
    theirs = source.config
    config = DecoderConfig(
        n_layers=theirs.num_hidden_layers, n_heads=theirs.num_attention_heads,
        d_model=theirs.hidden_size, n_kv_heads=theirs.num_key_value_heads,
        mlp_ratio=theirs.intermediate_size / theirs.hidden_size, mlp=MlpKind.gated_silu,
        norm=NormKind.rmsnorm, norm_eps=theirs.rms_norm_eps, has_bias=False,
        is_tied=theirs.tie_word_embeddings, rope_base=theirs.rope_parameters["rope_theta"],
        sliding_window=getattr(theirs, "sliding_window", None),
    )  # fmt: skip
    _expect_settings(theirs, hidden_act="silu", attention_bias=False, mlp_bias=False,
                     head_dim=theirs.hidden_size // theirs.num_attention_heads)  # fmt: skip
    if theirs.rope_parameters.get("rope_type", "default") != "default":
        raise InputError(f"rope type {theirs.rope_parameters['rope_type']}; only default is known")
    model = Decoder(config, theirs.vocab_size, theirs.max_position_embeddings, seed=0)
    given = source.state_dict()
    weights = {
        name: torch.cat([given[new] for new, _ in _split_for_llama(name, weight, config)])
        for name, weight in model.state_dict().items()
    }
    return _filled(model, weights)


def _split_for_llama(name: str, weight: Tensor, config: DecoderConfig) -> list[tuple[str, Tensor]]:
    """Llama's name for one of our weights; the fused projection becomes three."""
    top = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight",
           "unembedding.weight": "lm_head.weight"}  # fmt: skip
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
    parts = {"attention_norm.weight": "input_layernorm.weight",
             "attention.out.weight": "self_attn.o_proj.weight",
             "mlp_norm.weight": "post_attention_layernorm.weight",
             "mlp.gate.weight": "mlp.gate_proj.weight", "mlp.up.weight": "mlp.up_proj.weight",
             "mlp.down.weight": "mlp.down_proj.weight"}  # fmt: skip
    return [(f"{prefix}.{parts[part]}", weight)]
