"""Checks that a model and its checkpoint compute the same: no setting, no weight is ignored."""

from dataclasses import fields
from enum import Enum
from typing import Any

from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig, MixerConfig
from physlm.models.block import Block
from physlm.models.canon_config import CanonConfig
from physlm.models.channels.mlp import GatedSiluMlp, GeluMlp
from physlm.models.decoder import Decoder
from physlm.models.mixers.attention import Attention
from physlm.models.position import Rotary
from physlm.registry import tag_of

Weights = dict[str, Tensor]

_EXPRESSIBLE = (
    "the formats are GPT-2 (model.position=learned) and GPT-NeoX (rope) with norm=layernorm, "
    "mlp=gelu and has_bias=true, and Llama or Mistral (rope) with norm=rmsnorm, mlp=gated_silu "
    "and has_bias=false"
)
# Our fields that every checkpoint has, and those that change no score of a model with one MLP.
_SIZES = {"n_layers", "n_heads", "d_model", "mlp_ratio", "norm_eps", "is_size_matched"}
_OF_TRAINING = {
    "init_std",
    "residual_init",
    "n_active_experts",
    "expert_capacity",
    "load_balance",
    "penalty",
    "z_loss",
    "z_loss_kind",
}
# Parts that no format has.
_PLAIN: dict[str, Any] = {"mixer": None, "canon": None, "n_experts": 1, "has_qk_norm": False}
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
# Their settings that change no score of a model outside of training.
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


def require_expressible(
    model: Decoder, kind: str, written: set[str], needed: dict[str, Any]
) -> None:
    """Refuse a model that the checkpoint format cannot express exactly.

    Args:
        model: The model to export.
        kind: The format, for errors.
        written: Fields of our configuration that the caller writes into the checkpoint.
        needed: Fields with the one value that the format stands for, besides those of plain blocks.

    Raises:
        InputError: Naming the field or the module that has no counterpart.
    """
    config = model.config
    for name, value in (_PLAIN | needed).items():
        if getattr(config, name) != value:
            raise InputError(
                f"model.{name}={_shown(getattr(config, name))}; a {kind} checkpoint needs "
                f"{_shown(value)}; {_EXPRESSIBLE}"
            )
    known = _PLAIN.keys() | needed.keys() | written | _SIZES | _OF_TRAINING
    for name in (field.name for field in fields(config) if field.name not in known):
        raise InputError(
            f"model.{name}={_shown(getattr(config, name))}; a {kind} checkpoint has no known "
            f"setting for this; {_EXPRESSIBLE}"
        )
    _require_known_parts(model)


def expect_settings(theirs: Any, read: set[str], **known: object) -> None:
    """Refuse a checkpoint that would load but compute other scores.

    Args:
        theirs: Their configuration.
        read: Settings that the caller reads into our configuration.
        known: Required values of other settings; the rest must have their defaults.

    Raises:
        InputError: Naming a setting that is not known, or has another value.
    """
    default = type(theirs)().to_dict()
    for name, value in theirs.to_dict().items():
        if name in read | _WITHOUT_EFFECT:
            continue
        if name not in default.keys() | known.keys():
            raise InputError(f"the checkpoint has {name}={value}; this setting is not supported")
        needed = known.get(name, default.get(name))
        if value != needed:
            raise InputError(f"the checkpoint has {name}={value}; only {needed} is supported")


def expect_complete(missing: list[str], unexpected: list[str]) -> None:
    """Refuse weights of which some are missing or left over.

    Raises:
        InputError: Naming all of these.
    """
    if missing or unexpected:
        raise InputError(f"weights do not match: missing {missing}, unexpected {unexpected}")


def filled(model: Decoder, weights: Weights) -> Decoder:
    """The model with these weights loaded.

    Raises:
        InputError: If some weights are missing or left over.
    """
    missing, unexpected = model.load_state_dict(weights, strict=False)
    tied = {"unembedding.weight"} if model.config.tie_embeddings else set()
    expect_complete([name for name in missing if name not in tied], unexpected)
    return model


def untied_weights(model: Decoder) -> Weights:
    """All weights, without the output projection if it is the embedding."""
    weights = dict(model.state_dict())
    if model.config.tie_embeddings:
        del weights["unembedding.weight"]
    return weights


def _shown(value: object) -> object:
    """A value as it is chosen on the command line."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, MixerConfig):
        return tag_of(type(value)).partition("/")[2]
    if isinstance(value, CanonConfig):
        return value.positions
    return "null" if value is None else value


def _require_known_parts(model: Decoder) -> None:
    """Require modules of types whose computation the configuration fully describes."""
    if any(type(parameter.data) is not Tensor for parameter in model.parameters()):
        raise InputError(
            "the model has quantised weights (model.weight_bits); no checkpoint format is known "
            "to express them; export the run that it was quantised from"
        )
    parts = [model, model.config, *model.modules()]
    for kind in map(type, parts):
        if kind not in _KNOWN_PARTS:
            raise InputError(
                f"the model has a {kind.__module__}.{kind.__name__}; no checkpoint format is known "
                "to express it, so it cannot be exported"
            )
