"""Settings and weights to and from `transformers` checkpoints of GPT-2."""

from typing import Any

from torch import nn

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


def gpt2_format(model: Decoder) -> tuple[Any, Weights]:
    """The `transformers` configuration and weights of a GPT-2 that equals the model.

    Raises:
        InputError: If the format cannot express the model.
    """
    from transformers import GPT2Config

    config = model.config
    needed = {
        "norm": NormKind.layernorm,
        "mlp": MlpKind.gelu,
        "has_bias": True,
        "n_kv_heads": None,
        "sliding_window": None,
        "position": PositionEncoding.learned,
    }
    # Learned positions leave the rotary fields without effect.
    rotary = {"rope_fraction", "rope_base", "rope_heads_fraction", "rope_is_interleaved"}
    require_expressible(model, "GPT-2", rotary | {"tie_embeddings"}, needed)
    theirs = GPT2Config(
        vocab_size=model.vocabulary_size,
        n_positions=model.seq_len,
        n_embd=config.d_model,
        n_layer=config.n_layers,
        n_head=config.n_heads,
        n_inner=config.d_hidden,
        layer_norm_epsilon=config.norm_eps,
        tie_word_embeddings=config.tie_embeddings,
    )
    weights = _transposed(model, untied_weights(model))
    names = _gpt2_names(config.n_layers)
    return theirs, {names[name]: weight for name, weight in weights.items()}


def from_gpt2(source: Any) -> Decoder:
    """A decoder that equals a GPT-2 of `transformers`.

    Raises:
        InputError: If the checkpoint has settings that a decoder cannot express.
    """
    theirs = source.config
    expect_settings(
        theirs,
        {
            "n_layer",
            "n_head",
            "n_embd",
            "n_inner",
            "layer_norm_epsilon",
            "vocab_size",
            "n_positions",
            "tie_word_embeddings",
        },
    )
    config = DecoderConfig(
        n_layers=theirs.n_layer,
        n_heads=theirs.n_head,
        d_model=theirs.n_embd,
        mlp_ratio=(theirs.n_inner or 4 * theirs.n_embd) / theirs.n_embd,
        position=PositionEncoding.learned,
        norm_eps=theirs.layer_norm_epsilon,
        tie_embeddings=theirs.tie_word_embeddings,
    )
    model = Decoder(config, theirs.vocab_size, theirs.n_positions, seed=0)
    given = source.state_dict()
    names = _gpt2_names(config.n_layers)
    weights = {ours: given[name] for ours, name in names.items()}
    return filled(model, _transposed(model, weights))


def _gpt2_names(n_layers: int) -> dict[str, str]:
    parts = {
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.out": "attn.c_proj",
        "mlp_norm": "ln_2",
        "mlp.up": "mlp.c_fc",
        "mlp.down": "mlp.c_proj",
    }
    names = {"embedding.weight": "transformer.wte.weight", "unembedding.weight": "lm_head.weight"}
    names["positions.weight"] = "transformer.wpe.weight"
    for kind in ("weight", "bias"):
        names[f"norm.{kind}"] = f"transformer.ln_f.{kind}"
        for i in range(n_layers):
            for ours, theirs in parts.items():
                names[f"blocks.{i}.{ours}.{kind}"] = f"transformer.h.{i}.{theirs}.{kind}"
    return names


def _transposed(model: Decoder, weights: Weights) -> Weights:
    """The weights with linear layers transposed: GPT-2 stores (in, out), torch (out, in)."""
    linear = {f"{name}.weight" for name, part in model.named_modules() if type(part) is nn.Linear}
    linear.discard("unembedding.weight")
    return {name: w.T.contiguous() if name in linear else w for name, w in weights.items()}
