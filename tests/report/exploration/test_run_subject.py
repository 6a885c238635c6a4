"""Texts of a run's own words, greedy continuations, and documents to fit a lens on."""

import pytest
import torch

from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
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


def world(kind):
    people = BiosConfig(
        n_people=24,
        frequencies=[2, 2],
        include_question_vocabulary=True,
        tokenizer=TokenizerName.compact,
    ).build(0)
    if kind == "biographies":
        return people, people
    if kind == "questions":
        return people, QuestionsConfig().follow(people, 0)
    tasks = ["birth_month_ranking", "birth_month_mod_2"]  # the first is about two people
    return people, ManipulationConfig(tasks=tasks, hint_fraction=0.5).follow(people, 0)


@pytest.mark.parametrize("kind", ["biographies", "questions", "comparisons"])
def test_a_lens_is_fitted_on_documents_about_other_people(kind):
    people, corpus = world(kind)
    own = subject_of(corpus)
    analysed = own.document(0)
    names = [" ".join(parts) for parts in people.name_parts()]
    named = [name for name in names if name in own.text_of(analysed)]
    assert named
    for text in (analysed, own.tokens_of(named[0])):
        windows = own.lens_windows(text, None)
        rows = zip(windows.tokens, windows.is_visible, strict=True)
        fitted = [own.text_of(row[is_visible].tolist()) for row, is_visible in rows]
        assert not any(named[0] in document for document in fitted)
        found = {name for name in names if any(name in document for document in fitted)}
        assert len(found) >= (12 if kind == "biographies" else 6)


def test_a_world_about_one_thing_leaves_nothing_to_fit_a_lens_on():
    own = subject_of(BiosConfig(n_people=1, tokenizer=TokenizerName.compact).build(0))
    with pytest.raises(
        InputError, match="toy: every document of the world shares a subject with the text"
    ):
        own.lens_windows(own.document(0), None)


def test_a_document_that_is_longer_than_the_window_is_cut_with_a_word(capsys):
    corpus = subject().corpus
    config = DecoderConfig(n_layers=1, d_model=8, n_heads=1, position=PositionEncoding.learned)
    own = RunSubject("toy", config.build(corpus.vocabulary.size, 8, 0), corpus)
    assert own.document(0) == subject().document(0)[:8]
    assert "the document has 12 tokens; the model reads the first 8" in capsys.readouterr().err


def test_an_encoder_is_refused():
    corpus = subject().corpus
    model = EncoderConfig(n_layers=1, d_model=8, n_heads=1).build(corpus.vocabulary.size, 16, 0)
    with pytest.raises(InputError, match="bert is an encoder, which predicts no next token"):
        RunSubject("bert", model, corpus)
