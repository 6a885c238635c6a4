"""A local checkpoint writes what `transformers` would."""

import re

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from physlm.data.texts.rewriting import prompt
from physlm.models.text_generator import LocalWriter
from physlm.rng import stream
from tests.chat_server import command


@pytest.fixture(scope="module")
def folder(tmp_path_factory, persons):
    """A local checkpoint of a model with random weights, which knows the words of prompts."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("model")
    words = sorted(
        {w for p in persons for w in re.findall(r"\w+|\S", prompt(p, stream(0, "prompt")))}
    )
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    ).save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def test_a_local_model_writes_what_transformers_would(folder, persons):
    """Greedily, prompts of many lengths at once as one by one."""
    transformers = pytest.importorskip("transformers")
    prompts = [prompt(p, stream(0, "prompt"))[: 40 * (i + 1)] for i, p in enumerate(persons)]
    writer = LocalWriter(folder, max_tokens=8, temperature=0.0, seed=0, batch_size=4)
    written = [text for _, text in writer(prompts)]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    for asked, text in zip(prompts, written, strict=True):
        read = tokenizer(asked, return_tensors="pt")
        alone = model.generate(**read, max_new_tokens=8, do_sample=False)
        expected = tokenizer.decode(alone[0, read["input_ids"].shape[1] :])
        assert text == expected.replace("<eos>", "").strip()


def test_sampling_is_decided_by_the_seed(folder, persons):
    asked = [prompt(persons[0], stream(0, "prompt"))]
    one, other, third = (
        LocalWriter(folder, max_tokens=8, temperature=1.0, seed=s) for s in (1, 1, 2)
    )
    first = list(one(asked))
    assert first == list(other(asked)) != list(third(asked))
    assert list(one(asked)) != first


@pytest.mark.slow
def test_a_local_model_goes_through_the_command_and_keeps_its_answers(folder, tmp_path):
    """Random weights never say it all: the work is given up with what was written kept."""
    output = tmp_path / "texts.parquet"
    status, _, errors = command(
        f"output={output}", f"writer={folder}", "data.n_people=6", "max_tries=2", "max_tokens=5"
    )
    assert status == 2
    assert "6 texts lacked a fact in all of max_tries=2" in errors
    assert len((tmp_path / "texts.jsonl").read_text().splitlines()) == 1 + 12
