"""Decoders to and from `transformers` checkpoint folders of GPT-2, Llama and Mistral."""

from pathlib import Path

import torch

from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.decoder import Decoder
from physlm.models.format_checks import expect_complete
from physlm.models.gpt2_format import from_gpt2, gpt2_format
from physlm.models.llama_format import from_llama, llama_format
from physlm.models.pretrained_weights import load_causal_model


def save_transformers(model: Decoder, folder: Path) -> None:
    """Write a decoder as a checkpoint folder that `transformers` loads.

    Raises:
        InputError: If neither GPT-2 nor Llama can express the architecture.
    """
    from transformers import AutoModelForCausalLM

    config, weights = gpt2_format(model) if _is_gpt2(model.config) else llama_format(model)
    exported = AutoModelForCausalLM.from_config(config)
    missing, unexpected = exported.load_state_dict(weights, strict=False)
    expect_complete([name for name in missing if name != "lm_head.weight"], unexpected)
    exported.save_pretrained(folder, safe_serialization=True)


def load_transformers(folder: Path) -> Decoder:
    """A decoder with the weights of a local GPT-2, Llama or Mistral checkpoint folder.

    Raises:
        InputError: If the folder holds no such checkpoint, or lacks some of its weights.
    """
    source = load_causal_model(folder, torch.float32)
    readers = {"gpt2": from_gpt2, "llama": from_llama, "mistral": from_llama}
    kind = source.config.model_type
    if kind not in readers:
        raise InputError(f"{folder} holds a {kind} model; only gpt2, llama and mistral are known")
    return readers[kind](source)


def _is_gpt2(config: DecoderConfig) -> bool:
    return config.position is PositionEncoding.learned
