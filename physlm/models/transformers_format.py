"""Decoders to and from `transformers` checkpoint folders: GPT-2, GPT-NeoX, Llama, Mistral."""

from pathlib import Path
from typing import Any

import torch

from physlm.errors import InputError
from physlm.models.absent_tokens import TokenIds, with_absent_tokens
from physlm.models.components import NormKind, PositionEncoding
from physlm.models.decoder import Decoder
from physlm.models.format_checks import Weights, expect_complete
from physlm.models.gpt2_format import from_gpt2, gpt2_format
from physlm.models.gpt_neox_format import from_gpt_neox, gpt_neox_format
from physlm.models.llama_format import from_llama, llama_format
from physlm.models.pretrained_weights import load_causal_model


def save_transformers(model: Decoder, folder: Path, place: TokenIds | None = None) -> None:
    """Write a decoder as a checkpoint folder that `transformers` loads.

    The last token of the model is the end of text.

    Args:
        model: The decoder.
        folder: Receives the configuration and the weights.
        place: Ids of the model's tokens in a larger tokenizer; None: they keep theirs.

    Raises:
        InputError: If none of the formats can express the architecture.
    """
    from transformers import AutoModelForCausalLM

    config, weights = _format(model)
    eos = model.vocabulary_size - 1
    if place is not None:
        weights = with_absent_tokens(model, config, weights, place)
        eos = int(place.ids[-1])
    config.bos_token_id = config.eos_token_id = eos
    exported = AutoModelForCausalLM.from_config(config)
    missing, unexpected = exported.load_state_dict(weights, strict=False)
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    expect_complete([name for name in missing if name not in tied], unexpected)
    exported.save_pretrained(folder, safe_serialization=True)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # the library keeps other users out


def load_transformers(folder: Path) -> Decoder:
    """A decoder with the weights of a local GPT-2, GPT-NeoX, Llama or Mistral checkpoint folder.

    Raises:
        InputError: If the folder holds no such checkpoint, or lacks some of its weights.
    """
    source = load_causal_model(folder, torch.float32)
    readers = {
        "gpt2": from_gpt2,
        "gpt_neox": from_gpt_neox,
        "llama": from_llama,
        "mistral": from_llama,
    }
    kind = source.config.model_type
    if kind not in readers:
        raise InputError(f"{folder} holds a {kind} model; only {', '.join(readers)} are supported")
    return readers[kind](source)


def _format(model: Decoder) -> tuple[Any, Weights]:
    """Configuration and weights in the format that is closest to the architecture."""
    if model.config.position is PositionEncoding.learned:
        return gpt2_format(model)
    if model.config.norm is NormKind.layernorm:
        return gpt_neox_format(model)
    return llama_format(model)
