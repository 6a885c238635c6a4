"""Folders whose weights are not those of their model, as the library would only mention."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from physlm.errors import InputError
from physlm.models.pretrained_weights import load_causal_model
from physlm.models.transformers_format import load_transformers
from tests.models.test_transformers_format import GPT2, LLAMA

DOWN = "model.layers.1.mlp.down_proj.weight"


def lacking(weights):
    return {name: w for name, w in weights.items() if name != DOWN}


def renamed(weights):
    return {f"module.{name}": w for name, w in weights.items()}


def reshaped(weights):
    return weights | {DOWN: torch.zeros(32, 79)}


def with_more(weights):
    return weights | {"model.layers.1.mlp.down_proj.bias": torch.zeros(32)}


def saved(folder, kind, settings):
    config = transformers.AutoConfig.for_model(kind, **settings)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lacking, f"lacks 1 of the weights .* {DOWN}"),
        (renamed, "lacks 21 of the weights .* lm_head.weight"),
        (lambda _: {}, "lacks 21 of the weights"),
        (reshaped, rf"1 weights of another shape .* {DOWN} with \[32, 79\] for \[32, 80\]"),
        (with_more, "1 weights that its config.json does not know, .*down_proj.bias"),
        (lambda w: w | {DOWN: w[DOWN] * torch.nan}, f"1 weights with NaN or infinity .* {DOWN}"),
    ],
)
def test_a_folder_whose_weights_are_not_its_models_is_refused(tmp_path, changed, message):
    saved(tmp_path, "llama", LLAMA)
    file = tmp_path / "model.safetensors"
    save_file(changed(load_file(file)), file, metadata={"format": "pt"})
    for load in (load_transformers, lambda folder: load_causal_model(folder, "auto")):
        with pytest.raises(InputError, match=message):
            load(tmp_path)


def test_a_file_of_weights_cut_short_is_refused(tmp_path):
    saved(tmp_path, "llama", LLAMA)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(InputError, match="incomplete metadata|SafetensorError"):
        load_transformers(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model_type": "nope"}, "model type `nope` but Transformers does not recognize"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "ImportError: .* optimum"),
        ({"quantization_config": {"quant_method": "x"}}, "quantised by x, which transformers does"),
        (
            {"auto_map": {"AutoModelForCausalLM": "canon.CanonForCausalLM"}},
            "names CanonForCausalLM, code of its own .* runs no code from a folder",
        ),
        ({"num_attention_heads": 0}, "cannot be read: ZeroDivisionError"),
        ({"hidden_size": "32"}, "Field 'hidden_size' expected int, got str"),
        ({"hidden_act": "nope"}, "KeyError: 'nope'"),
        ({"tie_word_embeddings": True}, "two different embedding tables, .* tie_word_embeddings"),
    ],
)
def test_a_configuration_that_the_library_cannot_follow_is_refused(tmp_path, changed, message):
    saved(tmp_path, "llama", LLAMA)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    with pytest.raises(InputError, match=message) as caught:
        load_causal_model(tmp_path, "auto")
    assert str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("adapter_config.json", "{}", "holds an adapter to another model"),
        ("generation_config.json", "{", "generation_config.json is not valid JSON"),
        (
            "model.safetensors.index.json",
            '{"metadata": {}, "weight_map": {"w": "1.safetensors"}}',
            "1.safetensors",
        ),
        ("pytorch_model.bin", "", "pickled weights only"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_refused(tmp_path, name, text, message):
    saved(tmp_path, "llama", LLAMA)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        load_causal_model(tmp_path, "auto")


@pytest.mark.parametrize(
    ("kind", "settings", "more"),
    [
        ("gpt2", GPT2, {"transformer.h.0.attn.bias": torch.ones(1, 1, 8, 8)}),
        ("llama", LLAMA, {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}),
    ],
)
def test_what_the_library_itself_leaves_out_may_be_there(tmp_path, kind, settings, more):
    """Published models have such tables in their files, and the name of their class as code."""
    saved(tmp_path, kind, settings)
    file, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    save_file(load_file(file) | more, file, metadata={"format": "pt"})
    own = {"auto_map": {"AutoModelForCausalLM": "modeling_llama.LlamaForCausalLM"}}
    config.write_text(json.dumps(json.loads(config.read_text()) | own))
    assert load_causal_model(tmp_path, "auto").config.model_type == kind


@pytest.mark.parametrize(("kind", "settings"), [("gpt2", GPT2), ("llama", LLAMA)])
def test_a_whole_folder_gives_the_weights_that_were_saved(tmp_path, kind, settings):
    expected = saved(tmp_path, kind, settings).state_dict()
    found = load_causal_model(tmp_path, "auto").state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())
