"""Tiny models of many families of `transformers`, from their configurations."""

import torch
import transformers

from tests.models.checkpoints import save_bytewise

N_TOKENS = 300
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": N_TOKENS,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
_OTHER_NAMES = {
    "n_embd": 32,
    "d_model": 32,
    "dim": 32,
    "ffn_dim": 48,
    "hidden_dim": 48,
    "d_ff": 48,
    "d_kv": 8,
    "n_layer": 3,
    "n_layers": 3,
    "num_layers": 3,
    "n_head": 4,
    "n_heads": 4,
    "num_heads": 4,
    "word_embed_proj_dim": 32,
    "rotary_dim": 4,
    "num_experts": 2,
    "num_local_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 24,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,  # as many as the text's
    "num_attention_heads": 4,
    "image_size": 16,
    "patch_size": 8,
}
_LINEAR_ATTENTION = {
    "num_hidden_layers": 4,  # of which the last has attention weights
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
# Values that make a family's own scales, caps and shapes matter.
_OWN = {
    "cohere": {"logit_scale": 0.3},
    "cohere2": {"logit_scale": 2.0},
    "deepseek_v3": {
        "head_dim": 4,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 8,
        "v_head_dim": 8,
        "kv_lora_rank": 16,
        "q_lora_rank": 16,
        "num_key_value_heads": 4,
        "n_group": 1,
        "topk_group": 1,
        "n_routed_experts": 4,
        "first_k_dense_replace": 1,
    },
    "gemma2": {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 2.0},
    "gemma3": {
        "text_config": _TEXT,
        "vision_config": _VISION,
        "mm_tokens_per_image": 4,
        "image_token_index": 299,
    },
    "gpt_neo": {"attention_types": [[["global"], 3]]},
    "gpt_oss": {"sliding_window": 4},
    "granite": {
        "logits_scaling": 5.0,
        "embedding_multiplier": 2.0,
        "residual_multiplier": 0.5,
        "attention_multiplier": 0.2,
    },
    "llava": {
        "text_config": {"model_type": "llama", **_TEXT},
        "vision_config": {"model_type": "clip_vision_model", **_VISION},
        "image_token_index": 299,
    },
    "qwen2_vl": {
        "text_config": {
            **_TEXT,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [1, 1, 2],
            },
        },
        "vision_config": {"depth": 3, "embed_dim": 32, "hidden_size": 32, "num_heads": 4},
        "image_token_id": 299,
        "video_token_id": 298,
        "vision_start_token_id": 297,
        "vision_end_token_id": 296,
        "tie_word_embeddings": False,
    },
    "qwen3_next": {**_LINEAR_ATTENTION, "shared_expert_intermediate_size": 24},
    "recurrent_gemma": {"logits_soft_cap": 3.0},
}
_MULTIMODAL = ("gemma3", "llava", "qwen2_vl")


def save(folder, kind, auto="AutoModelForCausalLM"):
    """A model of a family with random weights that are large enough to matter.

    Args:
        folder: Where the model and a tokenizer are written.
        kind: The family, as in ``model_type``.
        auto: The class of `transformers` that makes the model, unless it is multimodal.
    """
    save_bytewise(folder)
    (folder / "model.safetensors").unlink()
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(kind, **_settings(kind))
    auto = "AutoModelForImageTextToText" if kind in _MULTIMODAL else auto
    model = getattr(transformers, auto).from_config(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.1 * (parameter.dim() == 1), std=0.2)
    model.save_pretrained(folder)


def _settings(kind):
    if kind in _MULTIMODAL:
        return _OWN[kind]
    empty = transformers.AutoConfig.for_model(kind)
    small = {
        name: value
        for name, value in {**_TEXT, **_OTHER_NAMES}.items()
        if hasattr(empty, name) and not isinstance(getattr(type(empty), name, None), property)
    }
    return small | _OWN.get(kind, {})
