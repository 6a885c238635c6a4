"""Weights to and from `transformers` checkpoints of GPT-2 and Llama."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig, MlpKind, NormKind, PositionEncoding
from physlm.models.block import Block
from physlm.models.channels.mlp import GatedSiluMlp, GeluMlp
from physlm.models.decoder import Decoder
from physlm.models.mixers.attention import Attention
from physlm.models.position import Rotary
from physlm.models.pretrained_weights import load_causal_model

Weights = dict[str, Tensor]

# Of our configuration: what every checkpoint says, and what decides no score once there is one MLP.
_SIZES = {"n_layers", "n_heads", "d_model", "mlp_ratio", "norm_eps"}
_OF_TRAINING = {"init_std", "n_active_experts", "expert_capacity", "load_balance"}
_KNOWN_PARTS = {
    Decoder,
    DecoderConfig,
    Block,
    Attention,
    Rotary,
    GeluMlp,
    GatedSiluMlp,
    nn.ModuleList,
    nn.Linear,
    nn.Embedding,
    nn.LayerNorm,
    nn.RMSNorm,
}
# Of their configurations: what decides no score of a model that is not being trained.
_WITHOUT_EFFECT = {
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attn_pdrop",
    "bos_token_id",
    "chunk_size_feed_forward",
    "dtype",
    "embd_pdrop",
    "eos_token_id",
    "id2label",
    "initializer_range",
    "label2id",
    "model_type",
    "n_ctx",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "reorder_and_upcast_attn",
    "resid_pdrop",
    "return_dict",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    "task_specific_params",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}


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
    source = load_causal_model(folder, torch.float32)
    readers = {"gpt2": _from_gpt2, "llama": _from_llama, "mistral": _from_llama}
    kind = source.config.model_type
    if kind not in readers:
        raise InputError(f"{folder} holds a {kind} model; only gpt2, llama and mistral are known")
    return readers[kind](source)


def _is_gpt2(config: DecoderConfig) -> bool:
    return config.position is PositionEncoding.learned


def _require(model: Decoder, kind: str, written: set[str], needed: dict[str, Any]) -> None:
    """Every field is written into the checkpoint, or what the kind of checkpoint stands for."""
    config = model.config
    for name in (field.name for field in fields(config)):
        if name in needed and getattr(config, name) != needed[name]:
            raise InputError(
                f"model.{name}={getattr(config, name)}; a {kind} checkpoint needs {needed[name]}"
            )
        if name not in needed.keys() | written | _SIZES | _OF_TRAINING:
            raise InputError(
                f"model.{name}={getattr(config, name)}; how a {kind} checkpoint says this is not "
                "known, so it cannot be exported"
            )
    _require_known_parts(model)


def _require_known_parts(model: Decoder) -> None:
    """No part computes anything else than the configuration says."""
    parts = [model, model.config, *model.modules()]
    for kind in map(type, parts):
        if kind not in _KNOWN_PARTS:
            raise InputError(
                f"the model has a {kind.__module__}.{kind.__name__}; what it computes is not known "
                "in checkpoints, so it cannot be exported"
            )


def _expect_settings(theirs: Any, read: set[str], **known: object) -> None:
    """Refuse a checkpoint that would load but score otherwise: every setting is understood.

    Args:
        theirs: Their configuration.
        read: Settings that become ours.
        known: What others must be; those not named here, what they are by default.
    """
    default = type(theirs)().to_dict()
    for name, value in theirs.to_dict().items():
        if name in read | _WITHOUT_EFFECT:
            continue
        if name not in default.keys() | known.keys():
            raise InputError(f"the checkpoint has {name}={value}; this setting is not known")
        needed = known.get(name, default.get(name))
        if value != needed:
            raise InputError(f"the checkpoint has {name}={value}; only {needed} is known")


def _expect_complete(missing: list[str], unexpected: list[str]) -> None:
    if missing or unexpected:
        raise InputError(f"weights do not match: missing {missing}, unexpected {unexpected}")


def _gpt2_format(model: Decoder) -> tuple[Any, Weights]:
    from transformers import GPT2Config

    config = model.config
    needed = {
        "norm": NormKind.layernorm,
        "mlp": MlpKind.gelu,
        "has_bias": True,
        "tie_embeddings": True,
        "n_kv_heads": None,
        "sliding_window": None,
        "n_experts": 1,
        "mixer": None,
        "position": PositionEncoding.learned,
    }
    # With learned positions nothing is rotated.
    _require(model, "GPT-2", {"rope_fraction", "rope_base"}, needed)
    eos = model.vocabulary_size - 1
    theirs = GPT2Config(
        vocab_size=model.vocabulary_size,
        n_positions=model.seq_len,
        n_embd=config.d_model,
        n_layer=config.n_layers,
        n_head=config.n_heads,
        n_inner=config.d_hidden,
        layer_norm_epsilon=config.norm_eps,
        bos_token_id=eos,
        eos_token_id=eos,
    )
    weights = _transposed(model, model.state_dict())
    del weights["unembedding.weight"]  # that of the embedding
    names = _gpt2_names(config.n_layers)
    return theirs, {names[name]: weight for name, weight in weights.items()}


def _from_gpt2(source: Any) -> Decoder:
    theirs = source.config
    _expect_settings(
        theirs,
        {
            "n_layer",
            "n_head",
            "n_embd",
            "n_inner",
            "layer_norm_epsilon",
            "vocab_size",
            "n_positions",
        },
    )
    config = DecoderConfig(
        n_layers=theirs.n_layer,
        n_heads=theirs.n_head,
        d_model=theirs.n_embd,
        mlp_ratio=(theirs.n_inner or 4 * theirs.n_embd) / theirs.n_embd,
        position=PositionEncoding.learned,
        norm_eps=theirs.layer_norm_epsilon,
    )
    model = Decoder(config, theirs.vocab_size, theirs.n_positions, seed=0)
    given = source.state_dict()
    weights = {ours: given[name] for ours, name in _gpt2_names(config.n_layers).items()}
    return _filled(model, _transposed(model, weights))


def _gpt2_names(n_layers: int) -> dict[str, str]:
    parts = {
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.out": "attn.c_proj",
        "mlp_norm": "ln_2",
        "mlp.up": "mlp.c_fc",
        "mlp.down": "mlp.c_proj",
    }
    names = {"embedding.weight": "transformer.wte.weight"}
    names["positions.weight"] = "transformer.wpe.weight"
    for kind in ("weight", "bias"):
        names[f"norm.{kind}"] = f"transformer.ln_f.{kind}"
        for i in range(n_layers):
            for ours, theirs in parts.items():
                names[f"blocks.{i}.{ours}.{kind}"] = f"transformer.h.{i}.{theirs}.{kind}"
    return names


def _transposed(model: Decoder, weights: Weights) -> Weights:
    """GPT-2 keeps its linear layers as (in, out); torch keeps (out, in)."""
    linear = {f"{name}.weight" for name, part in model.named_modules() if type(part) is nn.Linear}
    return {name: w.T.contiguous() if name in linear else w for name, w in weights.items()}


def _filled(model: Decoder, weights: Weights) -> Decoder:
    missing, unexpected = model.load_state_dict(weights, strict=False)
    tied = {"unembedding.weight"} if model.config.tie_embeddings else set()
    _expect_complete([name for name in missing if name not in tied], unexpected)
    return model


def _llama_format(model: Decoder) -> tuple[Any, Weights]:
    from transformers import LlamaConfig, MistralConfig

    config = model.config
    needed = {
        "norm": NormKind.rmsnorm,
        "mlp": MlpKind.gated_silu,
        "has_bias": False,
        "position": PositionEncoding.rope,
        "rope_fraction": 1.0,
        "n_experts": 1,
        "mixer": None,
    }
    _require(
        model, "Llama", {"n_kv_heads", "sliding_window", "rope_base", "tie_embeddings"}, needed
    )
    eos = model.vocabulary_size - 1
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
        "bos_token_id": eos,
        "eos_token_id": eos,
    }
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
    is_windowed = theirs.model_type == "mistral"  # Llama has no window, whatever its file says
    window = {"sliding_window": theirs.sliding_window} if is_windowed else {}
    rope = {"rope_type": "default", "rope_theta": theirs.rope_parameters["rope_theta"]}
    _expect_settings(
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
    return _filled(model, weights)


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
