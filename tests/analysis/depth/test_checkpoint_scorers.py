"""A checkpoint with its own tokenizer reads texts, facts and options."""

import json

import numpy as np
import pytest

from physlm.analysis.depth.depth_facts import DepthFactsConfig
from physlm.analysis.depth.depth_options import DepthOptionsConfig
from physlm.analysis.depth.option_prompts import option_prompts
from physlm.analysis.depth.read_texts import count_texts, read_texts
from physlm.data.files.mquake import MquakeConfig
from physlm.data.files.options import OptionsConfig
from physlm.data.files.texts import TextsConfig
from physlm.data.people.bios import BiosConfig
from physlm.errors import InputError
from physlm.eval.texts.text_loss import TextLossConfig
from physlm.models.pretrained import load_pretrained
from tests.models.checkpoints import save_bytewise

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    save_bytewise(folder)
    return load_pretrained(folder)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    rows = {
        "texts": [{"text": f"The cat number {i} ran to the garden."} for i in range(40)],
        "facts": [
            {"single_hops": [{"cloze": f"Land {i} has the capital", "answer": a}]}
            for i, a in enumerate(["Rome", "Oslo City", "Bern"] * 10)
        ],
        "options": [
            {"question": f"Which is {i}?", "choices": list("wxyz"), "answer": i % 4, "subject": ""}
            for i in range(12)
        ],
    }
    for name, content in rows.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_texts_have_the_class_of_the_word_that_each_token_begins(model, sources):
    corpus = TextsConfig(source=str(sources / "texts.json"), held_out_fraction=0.5).build(0)
    found = read_texts(corpus, model.text, 100)
    own = slice(0, found.documents.starts[1])
    pieces = model.text.pieces(found.documents.tokens[own].tolist())
    text = "".join(pieces)
    assert text in corpus.texts("held_out")
    classes = dict(zip(np.cumsum([len(p) for p in pieces]), found.classes[own], strict=True))
    assert classes[1] == "determiner"  # T of The
    assert classes[2] == "inside"
    assert classes[text.index("cat") + 1] == "content"
    assert classes[text.index("to") + 1] == "preposition"
    assert classes[len(text)] == "punctuation"
    counts = count_texts(corpus, model.text, model.vocabulary_size)
    assert counts.sum() == sum(len(text) for text in corpus.texts("train"))


def test_facts_are_forced_token_by_token_after_their_prompt(model, sources):
    corpus = MquakeConfig(source=str(sources / "facts.json")).build(0)
    found = read_texts(corpus, model.text, 10_000)
    for i, fact in enumerate(corpus.facts):
        own = slice(found.documents.starts[i], found.documents.starts[i + 1])
        position, length = (found.tags[name][own] for name in ("value_position", "value_length"))
        answer = model.text.tokenizer.decode(found.documents.tokens[own][position > 0])
        assert answer == f" {fact.answer}"
        assert position[position > 0].tolist() == list(range(1, len(answer) + 1))
        assert set(length[position > 0]) == {len(answer)}
    config = DepthFactsConfig(lens="logit", n_lens_tokens=300, n_predictions=600, longest=12)
    config.check(model, corpus)
    names = {metric.text for metric in config.measure(model, corpus).metrics}
    assert "depth/facts/onset{length=5,position=1}" in names
    with pytest.raises(
        InputError, match="window=16; prompts with their answers have up to .*; raise it"
    ):
        DepthFactsConfig(window=16).check(model, corpus)
    with pytest.raises(InputError, match="longest=1; no value has so few tokens"):
        DepthFactsConfig(lens="logit", longest=1).measure(model, corpus)


def test_facts_about_one_subject_are_not_on_both_sides_of_a_lens(model, tmp_path):
    hops = [
        {"cloze": f"{part} of Land {i} is", "answer": f"{part}{i}"}
        for i in range(10)
        for part in ("The capital", "The king", "The sea")
    ]
    cases = [
        {"single_hops": [hop], "requested_rewrite": [{"subject": f"Land {n // 3}"}]}
        for n, hop in enumerate(hops)
    ]
    (tmp_path / "facts.json").write_text(json.dumps(cases))
    corpus = MquakeConfig(source=str(tmp_path / "facts.json")).build(0)
    sample = DepthFactsConfig(n_lens_tokens=500, n_predictions=500).sample(model, corpus)
    decode = model.text.tokenizer.decode
    lands = [
        {decode(row).partition("Land ")[2][0] for row in rows}
        for rows in (sample.fitted.tokens, sample.tokens)
    ]
    assert lands[0]
    assert lands[1]
    assert not lands[0] & lands[1]


def test_options_are_read_as_letters_and_controls_have_the_same_questions(model, sources):
    corpus = OptionsConfig(source=str(sources / "options.json")).build(0)
    windows, kinds = option_prompts(model, corpus, 100)
    assert {kind.form for kind in kinds} == {"plain", "permuted", "empty"}
    decode = model.text.tokenizer.decode
    for kind in kinds:
        assert [decode([t]) for t in kind.options[0]] == list("ABCD")
        ends = [int(n) for n in kind.positions.lengths]
        texts = [decode(row[:n]) for row, n in zip(kind.tokens, ends, strict=True)]
        assert all(text.endswith("Answer: ") for text in texts)  # the space belongs to all options
    about = {kind.form: set(kind.positions.documents[:, 0].tolist()) for kind in kinds}
    assert about["plain"] == about["permuted"] == about["empty"]
    seen = zip(windows.tokens, windows.is_visible, strict=True)
    fitted = {decode(row[own]) for row, own in seen}
    plain = next(kind for kind in kinds if kind.form == "plain")
    ends = zip(plain.tokens, plain.positions.lengths, strict=True)
    assert not fitted & {decode(row[:n]) for row, n in ends}
    found = DepthOptionsConfig(lens="logit").measure(model, corpus)
    names = {metric.text for metric in found.metrics}
    assert "depth/options/accuracy{form=permuted,state=1,task=options_4}" in names


def test_no_analysed_question_is_among_what_a_lens_is_fitted_on(model, sources):
    corpus = OptionsConfig(source=str(sources / "options.json"), n_shots=3).build(0)
    windows, kinds = option_prompts(model, corpus, 100)
    decode = model.text.tokenizer.decode
    seen = zip(windows.tokens, windows.is_visible, strict=True)
    fitted = "".join(decode(row[own]) for row, own in seen)
    analysed = {i for kind in kinds for i in kind.positions.documents[:, 0].tolist()}
    assert len(analysed) == 6
    assert all((f"Which is {i}?" in fitted) == (i not in analysed) for i in range(12))
    with pytest.raises(InputError, match="has 12 questions, and 12 of them are examples"):
        option_prompts(model, OptionsConfig(source=corpus.config.source, n_shots=11).build(0), 9)


def test_options_of_several_tokens_and_prompts_beyond_the_window_are_refused(model, tmp_path):
    rows = [{"prompt": "One?", "options": ["yes", "no"], "answer": 0}] * 4
    (tmp_path / "o.json").write_text(json.dumps(rows))
    corpus = OptionsConfig(source=str(tmp_path / "o.json")).build(0)
    with pytest.raises(InputError, match="option' yes' has 4 tokens|options must be one token"):
        DepthOptionsConfig().check(model, corpus)
    rows = [{"question": "x" * 2000, "choices": list("wxyz"), "answer": 0, "subject": ""}] * 4
    (tmp_path / "p.json").write_text(json.dumps(rows))
    corpus = OptionsConfig(source=str(tmp_path / "p.json")).build(0)
    with pytest.raises(InputError, match="prompts have up to"):
        DepthOptionsConfig().check(model, corpus)


def test_texts_that_hold_nothing_out_are_refused(model, sources):
    corpus = TextsConfig(source=str(sources / "texts.json"), held_out_fraction=0).build(0)
    with pytest.raises(InputError, match="held_out_fraction=0 leaves no held_out documents"):
        read_texts(corpus, model.text, 10)
    with pytest.raises(InputError, match="held_out_fraction=0 leaves no held_out documents"):
        corpus.annotated(10)


def test_a_world_without_texts_is_refused(model):
    with pytest.raises(InputError, match="use data=texts, bible or mquake"):
        read_texts(BiosConfig(n_people=4).build(0), model.text, 10)


def test_the_loss_of_texts_is_that_of_every_byte_after_the_first(model, sources):
    import torch

    corpus = TextsConfig(source=str(sources / "texts.json"), held_out_fraction=0.5).build(0)
    found = {m.text: m.value for m in TextLossConfig().measure(model, corpus).metrics}
    losses, n_bytes = [], 0
    for text in corpus.texts("held_out"):
        ids = torch.tensor([model.text.tokens_of(text)])
        with torch.no_grad():
            logits = model(ids)[0, :-1]
        losses.append(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
        n_bytes += len(text)
    total = float(sum(losses))
    name = "text/loss_nats{split=held_out}"
    assert found[name] == pytest.approx(total / (n_bytes - len(losses)), rel=1e-5)
    bits = "text/bits_per_byte{split=held_out}"
    assert found[bits] == pytest.approx(total / np.log(2) / n_bytes, rel=1e-5)
