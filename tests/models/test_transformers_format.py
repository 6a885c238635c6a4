import json
from dataclasses import dataclass, fields

import pytest
import torch
import transformers

from physlm.errors import InputError
from physlm.models.absent_tokens import TokenIds
from physlm.models.architecture import DecoderConfig
from physlm.models.block import Block
from physlm.models.canon_config import CanonConfig
from physlm.models.decoder import Decoder
from physlm.models.mixers.linear_config import GlaConfig
from physlm.models.quantised import quantised
from physlm.models.transformers_format import load_transformers, save_transformers
from tests.models.test_decoder import config, tokens

transformers.utils.logging.disable_progress_bar()
GPT2 = {
    "n_layer": 2,
    "n_head": 4,
    "n_embd": 32,
    "vocab_size": 20,
    "n_positions": 12,
    "bos_token_id": 19,
    "eos_token_id": 19,
}
LLAMA = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 32,
    "intermediate_size": 80,
    "vocab_size": 20,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 12,
    "bos_token_id": 19,
    "eos_token_id": 19,
}
NEOX = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "hidden_size": 32,
    "intermediate_size": 80,
    "hidden_act": "gelu_new",
    "use_parallel_residual": False,
    "rotary_pct": 1.0,
    "vocab_size": 20,
    "max_position_embeddings": 12,
    "bos_token_id": 19,
    "eos_token_id": 19,
}


def scramble(model):
    """Give every parameter, biases and gains too, a value that matters."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
    return model.eval()


EXPORTED = ["learned", "gpt2", "partial rope", "llama", "mistral"]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("style", EXPORTED)
def test_saved_weights_score_alike_in_transformers_and_read_back_alike(tmp_path, style, tied):
    ours = scramble(config(style, tie_embeddings=tied).build(20, 12, 0))
    save_transformers(ours, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    again = load_transformers(tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens()), theirs(tokens()).logits, atol=1e-5, rtol=1e-5)
        assert torch.equal(ours(tokens()), again(tokens()))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("gpt2", GPT2),
        ("gpt2", GPT2 | {"n_inner": 48}),
        ("gpt2", GPT2 | {"tie_word_embeddings": False}),
        ("gpt_neox", NEOX),
        ("gpt_neox", NEOX | {"tie_word_embeddings": True, "rotary_pct": 0.25}),
        ("llama", LLAMA),
        ("llama", LLAMA | {"tie_word_embeddings": True}),
        ("mistral", LLAMA | {"sliding_window": 4}),
    ],
)
def test_a_checkpoint_of_transformers_scores_alike_here(tmp_path, kind, settings):
    theirs = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(kind, **settings)
    )
    scramble(theirs).save_pretrained(tmp_path)
    ours = load_transformers(tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens()), theirs(tokens()).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("style", "changes", "message"),
    [
        ("no mlp", {}, "model.mlp=none; a .* checkpoint needs gelu; the formats are GPT-2"),
        ("no position", {}, "model.position=none; a GPT-NeoX checkpoint needs rope"),
        ("relative", {}, "model.position=relative; a GPT-NeoX checkpoint needs rope"),
        ("gpt2", {"has_bias": False}, "model.has_bias=False; a GPT-NeoX checkpoint needs True"),
        ("gpt2", {"canon": CanonConfig(positions="AC")}, "model.canon=AC; .* needs null"),
        (
            "llama",
            {"mixer": GlaConfig(), "position": "none"},
            "model.mixer=gla; a Llama checkpoint needs null",
        ),
        ("llama", {"rope_fraction": 0.5}, "model.rope_fraction=0.5; a Llama checkpoint needs 1.0"),
        ("gpt2", {"n_experts": 4}, "model.n_experts=4; a GPT-NeoX checkpoint needs 1"),
    ],
)
def test_what_no_format_can_express_is_refused(tmp_path, style, changes, message):
    with pytest.raises(InputError, match=message):
        save_transformers(config(style, **changes).build(20, 12, 0), tmp_path)
    assert not list(tmp_path.iterdir())


ABSENT = [token for token in range(60) if token not in range(3, 43, 2)]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("style", EXPORTED)
def test_absent_tokens_are_never_likely_and_leave_the_scores_of_others(tmp_path, style, tied):
    ours = scramble(config(style, tie_embeddings=tied).build(20, 12, 0))
    place = TokenIds(torch.arange(3, 43, 2), 60)
    save_transformers(ours, tmp_path, place)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert (theirs.config.vocab_size, theirs.config.eos_token_id) == (60, 41)
    with torch.no_grad():
        found, scores = theirs(place.ids[tokens()]).logits, ours(tokens())
    torch.testing.assert_close(found[..., place.ids], scores, atol=1e-5, rtol=1e-5)
    highest = found[..., ABSENT].amax(-1) - scores.mean(-1)
    assert highest.max() < -49
    assert found.softmax(-1)[..., ABSENT].sum(-1).max() < 1e-20


def test_a_final_norm_without_biases_has_no_room_for_absent_tokens(tmp_path):
    new = config("gpt2").build(20, 12, 0)
    with pytest.raises(InputError, match="use data.tokenizer=compact"):
        save_transformers(new, tmp_path, TokenIds(torch.arange(20), 60))


def test_quantised_weights_are_refused(tmp_path):
    model = quantised(config("gpt2").build(20, 12, 0), bits=8, group_size=32)
    with pytest.raises(InputError, match="model.weight_bits"):
        save_transformers(model, tmp_path)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("gpt_neox", NEOX | {"use_parallel_residual": True}, "use_parallel_residual=True"),
        ("gpt_neox", NEOX | {"hidden_act": "gelu"}, "hidden_act=gelu"),
        ("gpt2", GPT2 | {"activation_function": "relu"}, "activation_function=relu"),
        ("llama", LLAMA | {"hidden_act": "relu"}, "hidden_act=relu"),
        ("llama", LLAMA | {"attention_bias": True}, "attention_bias=True"),
        ("llama", LLAMA | {"head_dim": 16}, "head_dim=16"),
        ("gpt2", GPT2 | {"scale_attn_by_inverse_layer_idx": True}, "inverse_layer_idx=True"),
        ("gpt2", GPT2 | {"add_cross_attention": True}, "add_cross_attention=True"),
        ("gpt2", GPT2 | {"use_parallel_residual": True}, "use_parallel_residual=True"),
        ("llama", LLAMA | {"mlp_bias": True}, "mlp_bias=True"),
        ("llama", LLAMA | {"query_pre_attn_scalar": 64}, "query_pre_attn_scalar=64"),
        ("llama", LLAMA | {"sliding_window": 4}, "sliding_window=4"),
        (
            "mistral",
            LLAMA | {"rope_parameters": {"rope_theta": 1e4, "rope_type": "linear", "factor": 2.0}},
            "rope_parameters=.*linear",
        ),
        (
            "llama",
            LLAMA
            | {
                "rope_parameters": {
                    "rope_theta": 1e4,
                    "rope_type": "default",
                    "partial_rotary_factor": 0.5,
                }
            },
            "partial_rotary",
        ),
    ],
)
def test_a_checkpoint_that_would_score_otherwise_is_refused(tmp_path, kind, settings, message):
    theirs = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(kind, **settings)
    )
    theirs.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=message):
        load_transformers(tmp_path)


@dataclass(kw_only=True, slots=True)
class ParallelConfig(DecoderConfig):
    is_parallel: bool = False


class PostNorm(Block):
    def forward(self, x, context):
        x = self.attention_norm(x + self.attention(x, context))
        return self.mlp_norm(x + self.mlp(x, context))


def with_another_block(model):
    model.blocks[1].__class__ = PostNorm


def with_a_layer_more(model):
    model.blocks[0].canon = torch.nn.Conv1d(32, 32, 4, groups=32)


def of_another_class(model):
    model.__class__ = type("Scaled", (Decoder,), {})


@pytest.mark.parametrize("style", ["learned", "llama"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [(with_another_block, "PostNorm"), (with_a_layer_more, "Conv1d"), (of_another_class, "Scaled")],
)
def test_a_model_that_computes_something_else_is_not_exported(tmp_path, style, changed, message):
    model = config(style).build(20, 12, 0)
    changed(model)
    with pytest.raises(
        InputError, match=f"the model has a .*{message}; no checkpoint format is known"
    ):
        save_transformers(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("style", ["learned", "llama"])
def test_a_field_that_the_export_does_not_know_is_refused_even_at_its_default(tmp_path, style):
    known = config(style)
    values = {field.name: getattr(known, field.name) for field in fields(known)}
    with pytest.raises(
        InputError, match="model.is_parallel=False; a (GPT-2|Llama) checkpoint has no"
    ):
        save_transformers(ParallelConfig(**values).build(20, 12, 0), tmp_path)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no config.json"):
        load_transformers(tmp_path)


def test_another_architecture_is_refused(tmp_path):
    config_file = {
        "model_type": "phi",
        "hidden_size": 32,
        "num_attention_heads": 4,
        "num_hidden_layers": 1,
        "vocab_size": 20,
        "intermediate_size": 64,
    }
    phi = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(**config_file)
    )
    phi.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "phi"
    with pytest.raises(InputError, match="a phi model; only gpt2"):
        load_transformers(tmp_path)
