"""Folders whose weights are not those of their model, as the library would only mention."""

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from physlm.errors import InputError
from physlm.models.pretrained_weights import load_pretrained
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
    ],
)
def test_a_folder_whose_weights_are_not_its_models_is_refused(tmp_path, changed, message):
    saved(tmp_path, "llama", LLAMA)
    file = tmp_path / "model.safetensors"
    save_file(changed(load_file(file)), file, metadata={"format": "pt"})
    for load in (load_transformers, lambda folder: load_pretrained(folder, "auto")):
        with pytest.raises(InputError, match=message):
            load(tmp_path)


def test_a_file_of_weights_cut_short_is_refused(tmp_path):
    saved(tmp_path, "llama", LLAMA)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(InputError, match="incomplete metadata|SafetensorError"):
        load_transformers(tmp_path)


@pytest.mark.parametrize(("kind", "settings"), [("gpt2", GPT2), ("llama", LLAMA)])
def test_a_whole_folder_gives_the_weights_that_were_saved(tmp_path, kind, settings):
    expected = saved(tmp_path, kind, settings).state_dict()
    found = load_pretrained(tmp_path, "auto").state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())
