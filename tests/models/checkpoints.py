"""Tiny checkpoints as `transformers` saves them, with random weights."""

import numpy as np
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from physlm.data.public.corpus import PublicFiguresConfig
from physlm.data.tokens import END_OF_TEXT, WORD
from physlm.models.pretrained import load_pretrained

transformers = pytest.importorskip("transformers")


def save_tokenizer(vocabulary, folder):
    """The words of a compact vocabulary as a tokenizer that `transformers` opens."""
    words = {vocabulary.decode(np.array([i])): i for i in range(vocabulary.size)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=END_OF_TEXT))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, vocabulary.eos)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END_OF_TEXT, clean_up_tokenization_spaces=False
    ).save_pretrained(folder)


def checkpoint(folder, kind):
    """A model of ``transformers`` with random weights, and the words of the questions."""
    vocabulary = PublicFiguresConfig().build(0).vocabulary
    save_tokenizer(vocabulary, folder)
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=vocabulary.size,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        state_size=4,
        eos_token_id=vocabulary.eos,
        bos_token_id=vocabulary.eos,
        pad_token_id=vocabulary.eos,
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return load_pretrained(folder)


def saying_this(model, *texts):
    """A model that writes just this, whatever it is asked."""
    tokens = [model.text.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    longest = max(map(len, tokens))
    rows = torch.tensor([row + [0] * (longest - len(row)) for row in tokens])
    model.model.generate = lambda input_ids, **_: torch.cat(
        [input_ids, rows.repeat(len(input_ids) // len(rows), 1)], dim=1
    )
    return model


def save_bytewise(folder):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {token: i for i, token in enumerate(["<|end|>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(words, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|end|>",
        additional_special_tokens=["[THINK]", "[/THINK]"],
    ).save_pretrained(folder)
    config = transformers.GPT2Config(
        vocab_size=len(words) + 2,
        n_positions=1024,
        n_embd=8,
        n_layer=1,
        n_head=1,
        bos_token_id=0,
        eos_token_id=0,
    )
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
