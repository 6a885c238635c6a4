"""What a checkpoint of others writes, whatever its folder says of decoding, chat and thoughts."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers

from physlm.data.public.corpus import PublicFiguresConfig
from physlm.data.tokens import END_OF_TEXT
from physlm.errors import InputError
from physlm.models.pretrained import load_pretrained
from physlm.models.pretrained_text import PretrainedText, _templated
from tests.models.checkpoints import (
    checkpoint,
    save_bytewise,
    save_tokenizer,
    saying_this,
    transformers,
)


def test_a_chat_model_is_asked_as_its_template_says(tmp_path):
    """The template writes the token that begins a text; it stands there once."""
    model = checkpoint(tmp_path, "llama")
    asked = "Was Alan Turing born in an even month?"
    plain = model.text.write([f"Question: {asked}"], max_tokens=4)
    model.text.tokenizer.chat_template = (
        f"{END_OF_TEXT}{{% for m in messages %}}Question: {{{{ m.content }}}}{{% endfor %}}"
    )
    assert model.text.write([asked], max_tokens=4) == plain


def test_each_token_has_its_own_text_with_its_space_also_where_the_decoder_drops_the_first():
    """As in Llama: the texts of tokens one by one are the text, which `decode` makes of all."""
    words = {piece: i for i, piece in enumerate(["<s>", "\u2581the", "\u2581cat", "s", "."])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<s>"))
    tokenizer.decoder = decoders.Metaspace()
    library = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<s>")
    assert library.decode([1, 2, 3]) == "the cats"
    folder = Path("unread")
    config = transformers.GPT2Config(vocab_size=5, n_positions=8, n_embd=8, n_layer=1, n_head=1)
    text = PretrainedText(library, transformers.GPT2LMHeadModel(config), folder, 8)
    assert text.texts_of([3, 1, 2, 4]) == {1: " the", 2: " cat", 3: "s", 4: "."}


def test_bytes_of_a_letter_are_shown_as_the_tokenizer_spells_them(tmp_path):
    save_bytewise(tmp_path)
    text = load_pretrained(tmp_path).text
    tokens = text.tokens_of("\u00e9 a")
    assert [text.texts_of(tokens)[token] for token in tokens] == ["\u00c3", "\u00a9", " ", "a"]


NASTY = {
    "suppress_tokens": list(range(0, 300, 2)),
    "forced_eos_token_id": 5,
    "repetition_penalty": 5.0,
    "no_repeat_ngram_size": 1,
    "bad_words_ids": [[7]],
    "min_length": 100,
    "num_beams": 3,
    "renormalize_logits": True,
    "begin_suppress_tokens": [11],
    "guidance_scale": 3.0,
    "sequence_bias": [[[9], 50.0]],
    "do_sample": True,
    "temperature": 0.1,
    "top_k": 2,
    "top_p": 0.1,
    "max_length": 3,
    "stop_strings": ["a"],
    "exponential_decay_length_penalty": [1, 9.0],
}


def told_to_decode(folder, **settings):
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return load_pretrained(folder)


def by_hand(model, prompt, n, choose):
    """Token by token."""
    tokens = model.text.tokenizer(prompt, return_tensors="pt")["input_ids"]
    start = tokens.shape[1]
    for _ in range(n):
        with torch.no_grad():
            scores = model.model(tokens).logits[:, -1]
        tokens = torch.cat([tokens, choose(scores)], dim=1)
    return model.text.tokenizer.decode(tokens[0, start:])


def test_decoding_is_greedy_whatever_the_folder_says(tmp_path):
    checkpoint(tmp_path, "llama")
    model = told_to_decode(tmp_path, **NASTY)
    prompts = ["Question: Where was Alan Turing born?", "Was"]
    for prompt, text in zip(prompts, model.text.write(prompts, max_tokens=12), strict=True):
        assert text == by_hand(model, prompt, 12, lambda s: s.argmax(-1, keepdim=True))


def test_sampling_is_from_all_tokens_whatever_the_folder_says(tmp_path):
    checkpoint(tmp_path, "llama")
    model, prompt = told_to_decode(tmp_path, **NASTY), "Question: Where was Alan Turing born?"
    text = model.text.write([prompt], max_tokens=12, temperature=2.0, seed=3)
    torch.manual_seed(3)
    assert text == [by_hand(model, prompt, 12, lambda s: torch.multinomial((s / 2).softmax(-1), 1))]


def test_an_answer_ends_where_the_folder_or_its_tokenizer_ends_it(tmp_path):
    greedy = checkpoint(tmp_path, "llama")
    asked = "Question: Where was Alan Turing born?"
    text = greedy.text.write([asked], max_tokens=12)[0]
    second = greedy.text.tokenizer(text, add_special_tokens=False)["input_ids"][1]
    model = told_to_decode(tmp_path, eos_token_id=[second])
    assert model.text.ends == sorted({second, model.text.tokenizer.eos_token_id})
    ended = model.text.write([asked], max_tokens=12)[0]
    assert text.startswith(ended)
    assert model.text.tokenizer(ended, add_special_tokens=False)["input_ids"][-1] == second


@pytest.fixture(scope="module")
def bytewise(tmp_path_factory):
    """A tiny checkpoint that has a token for every byte, and special ones around thoughts."""
    folder = tmp_path_factory.mktemp("bytewise")
    save_bytewise(folder)
    return folder


WITH_THOUGHTS = {
    "<think>\nHe was\nborn.\n</think>\n\nLondon": "London",
    "He lived long ago.\n</think>\n\nLondon": "London",
    "[THINK]He was born.[/THINK]London": "London",
    "<reasoning>He was.</reasoning> London": "London",
    "<|channel|>analysis<|message|>He was.<|end|><|start|>assistant"
    "<|channel|>final<|message|>London": "London",
    "<think>a</think>b<think>c</think> London": "London",
    "London": "London",
    "<think>\nHe was born in": None,
    "[THINK]He was born in": None,
    "<think>a</think>b<think>c": None,
}


def test_thoughts_are_no_part_of_an_answer(bytewise):
    model = saying_this(load_pretrained(bytewise), *WITH_THOUGHTS)
    answers = model.text.answers(["Where?"] * len(WITH_THOUGHTS), max_tokens=200)
    found = [answer and answer.strip() for answer in answers]
    assert dict(zip(WITH_THOUGHTS, found, strict=True)) == WITH_THOUGHTS


def test_a_template_that_begins_thoughts_leaves_the_word_after_them_alone(bytewise):
    model = saying_this(
        load_pretrained(bytewise), "He was.</think> London", "He was born in London"
    )
    model.text.tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content }}{% endfor %} <think>\n"
    )
    answers = model.text.answers(["Where?"] * 2, max_tokens=20)
    assert answers == [" London", None]
    model.text.tokenizer.chat_template += "</think>"
    assert model.text.answers(["Where?"] * 2, max_tokens=20)[1] == "He was born in London"


def test_a_chat_template_is_not_told_what_day_it_is(bytewise):
    model = load_pretrained(bytewise)
    model.text.tokenizer.chat_template = (
        "{% macro day() %}{{ strftime_now('%d %b %Y') }}{% endmacro %}"
        "{% if strftime_now is defined %}{% set date_string = day() %}{% endif %}"
        "Today is {{ date_string }}.{% for m in messages %} {{ m.content }}{% endfor %}"
    )
    assert _templated(model.text.tokenizer, "Who?") == "Today is 26 Jul 2024. Who?"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"chat_template": "{% nonsense"}, "cannot be read: TemplateSyntaxError"),
        ({"auto_map": {"AutoTokenizer": ["tok.XTokenizer", None]}}, "no code from a folder"),
    ],
)
def test_a_tokenizer_that_cannot_be_used_as_meant_is_refused(tmp_path, changed, message):
    save_bytewise(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(InputError, match=message):
        load_pretrained(tmp_path)


def test_a_tokenizer_that_loses_what_is_asked_is_refused(bytewise):
    model = load_pretrained(bytewise)
    model.text.require_reads(["Where was Gödel born?"], 3)
    model.text.tokenizer.backend_tokenizer.normalizer = normalizers.Replace("Gödel", "")
    with pytest.raises(InputError, match="reads 'Where was Gödel born.' as 'Where was  born"):
        model.text.require_reads(["Where was Gödel born?"], 3)


def test_a_model_that_computes_no_numbers_is_told_so(tmp_path):
    """And not that it reads on both sides."""
    save_bytewise(tmp_path)
    file = tmp_path / "model.safetensors"
    huge = {name: w * 1e30 for name, w in load_file(file).items()}
    save_file(huge, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match="GPT2LMHeadModel computes NaN or infinity"):
        load_pretrained(tmp_path)


def test_an_encoder_is_no_causal_model(tmp_path):
    with pytest.raises(InputError, match="BertLMHeadModel reads on both sides"):
        checkpoint(tmp_path, "bert")


def test_a_folder_without_weights_or_tokenizer_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match=r"has no tokenizer\.json"):
        load_pretrained(tmp_path)
    save_tokenizer(PublicFiguresConfig().build(0).vocabulary, tmp_path)
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        load_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        load_pretrained(tmp_path)
