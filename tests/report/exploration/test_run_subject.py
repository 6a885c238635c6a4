"""Texts of a run's own words, greedy continuations, and documents to fit a lens on."""

import pytest
import torch

from physlm.data.people.bios import BiosConfig
from physlm.data.tokens import END_OF_TEXT, TokenizerName
from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig, EncoderConfig
from physlm.models.components import PositionEncoding
from physlm.report.exploration.run_subject import RunSubject
from tests.report.exploration.explorations import subject, subject_of


def test_the_text_of_a_document_has_the_documents_tokens():
    own = subject()
    tokens = own.document(3)
    text = own.text_of(tokens)
    assert text.startswith(f"{END_OF_TEXT} ")
    for typed in (text, text.removeprefix(END_OF_TEXT), text.removeprefix(f"{END_OF_TEXT} ")):
        assert own.tokens_of(typed) == tokens
    assert own.tokens_of(text + text) == tokens + tokens


def test_a_word_of_another_world_is_named():
    with pytest.raises(InputError, match=r"'zebra' is not in the vocabulary .* --document N"):
        subject().tokens_of("zebra crossing")


@torch.no_grad()
def test_a_continuation_takes_the_likeliest_token_again_and_again():
    own = subject()
    tokens = own.document(0)[:5]
    written = own.continuation(tokens, 6)
    for token in written:
        assert own.model(torch.tensor([tokens]))[0, -1].argmax() == token
        tokens.append(token)
    assert 0 < len(written) <= 6


def test_a_lens_is_fitted_on_documents_about_other_people():
    own = subject_of(BiosConfig(n_people=24, frequencies=[2, 2], tokenizer=TokenizerName.compact))
    analysed = own.document(0)
    documents = own.corpus.epoch(0, 0, own.corpus.n_documents)
    person = documents.people[0]
    assert (documents.people == person).sum() == 2
    name = " ".join(own.corpus.name_parts()[person])
    for text in (analysed, own.tokens_of(name)):
        windows = own.lens_windows(text, None)
        assert len(windows) > own.corpus.n_documents / 2
        for row, is_visible in zip(windows.tokens, windows.is_visible, strict=True):
            assert name not in own.text_of(row[is_visible].tolist())


def test_a_document_that_is_longer_than_the_window_is_cut_with_a_word(capsys):
    corpus = subject().corpus
    config = DecoderConfig(n_layers=1, d_model=8, n_heads=1, position=PositionEncoding.learned)
    own = RunSubject("toy", config.build(corpus.vocabulary.size, 8, 0), corpus)
    assert own.document(0) == subject().document(0)[:8]
    assert "of the 12 tokens of the document, the model reads 8" in capsys.readouterr().err


def test_an_encoder_is_refused():
    corpus = subject().corpus
    model = EncoderConfig(n_layers=1, d_model=8, n_heads=1).build(corpus.vocabulary.size, 16, 0)
    with pytest.raises(InputError, match="bert is an encoder, which predicts no next token"):
        RunSubject("bert", model, corpus)
