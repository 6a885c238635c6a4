"""The user's own right and wrong texts, from files and folders."""

import json

import numpy as np
import pytest

from physlm.data.brackets.corpus import BracketsConfig
from physlm.data.files.labelled_texts import LabelledTextsConfig, description
from physlm.data.files.texts import TextsConfig
from physlm.data.labelled import Labelled
from physlm.errors import InputError

ROWS = [
    {"text": "one two", "label": "valid", "problem": "p", "source": "people"},
    {"text": "one three two", "label": "invalid", "problem": "p", "is_complete": False},
    {"text": "two", "label": True, "problem": 7},
    {"text": "three three", "label": "False", "source": "model"},
]


def config(folder, rows, name="rows.jsonl", **values):
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return LabelledTextsConfig(source=str(path), **values)


def words(text):
    return [len(word) for word in text.split()]


def test_rows_of_a_file_keep_their_labels_problems_sources_and_cut_offs(tmp_path, capsys):
    found = config(tmp_path, ROWS).build(0).tokenised(words)
    assert [text.tolist() for text in found.tokens] == [[3, 3], [3, 5, 3], [3], [5, 5]]
    assert found.is_valid.tolist() == [True, False, True, False]
    assert found.problem.tolist() == [0, 0, 1, 2]
    assert found.corruption == ("none", "invalid", "none", "invalid")
    assert found.n_errors.tolist() == [0, 1, 0, 1]
    assert found.source == ("people", "", "", "model")
    assert found.is_complete.tolist() == [True, False, True, True]
    assert (found.error_position == -1).all()
    assert capsys.readouterr().err.splitlines() == description(found)


def test_lengths_cut_offs_and_sources_are_told_by_label(tmp_path):
    assert description(config(tmp_path, ROWS).build(0).tokenised(words)) == [
        "valid: 2 texts, tokens median 1.5 (5% to 95%: 1.05 to 1.95), cut off 0.0%, "
        "sources unnamed 50%, people 50%",
        "invalid: 2 texts, tokens median 2.5 (5% to 95%: 2.05 to 2.95), cut off 50.0%, "
        "sources unnamed 50%, model 50%",
    ]


def test_files_of_a_folder_are_texts_named_by_their_problem(tmp_path):
    for name, text in (
        ("valid/a.lean", "theorem a"),
        ("valid/deep/b.lean", "theorem b"),
        ("invalid/a.lean", "sorry"),
        ("invalid/.hidden", "no"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    texts = LabelledTextsConfig(source=str(tmp_path)).build(0).texts
    assert [(t.text, t.is_valid, t.problem) for t in texts] == [
        ("theorem a", True, "a"),
        ("theorem b", True, "deep/b"),
        ("sorry", False, "a"),
    ]


def test_a_trained_model_reads_them_in_the_tokens_of_its_corpus(tmp_path):
    (tmp_path / "book.txt").write_text("one two three\n\ntwo one\n\nthree")
    book = TextsConfig(source=str(tmp_path / "book.txt"), held_out_fraction=0.0).build(0)
    corpus = config(tmp_path, ROWS).follow(book, 0)
    assert isinstance(corpus, Labelled)
    found = corpus.labelled(10, "invalid", 1)
    assert [book.vocabulary.decode(text) for text in found.tokens] == [
        f"<|endoftext|>{row['text']}" for row in ROWS
    ]
    few = corpus.labelled(2, "invalid", 1)
    assert len(set(few.problem.tolist())) == 2
    assert {text.tobytes() for text in few.tokens} < {text.tobytes() for text in found.tokens}
    with pytest.raises(ValueError, match="n_errors=2; unknown for texts of a file"):
        corpus.labelled(2, "invalid", 2)


def test_a_text_may_begin_without_the_space_that_begins_documents(tmp_path):
    world = BracketsConfig(n_brackets=4, seq_len=5, n_texts=4).build(0)
    texts = ["( ( ) )", "( ) ( ("]
    rows = [
        {"text": t, "label": str(i == 0), "problem": p} for p in "ab" for i, t in enumerate(texts)
    ]
    corpus = config(tmp_path, rows).follow(world, 0)
    found = corpus.labelled(2, "invalid", 1)
    assert world.vocabulary.decode(found.tokens[0]) == "<|endoftext|> ( ( ) )"
    assert len(found.tokens[1]) == 5


def test_a_word_that_the_corpus_lacks_is_named(tmp_path):
    (tmp_path / "book.txt").write_text("one two\n\ntwo one")
    book = TextsConfig(source=str(tmp_path / "book.txt"), tokenizer="compact").build(0)
    with pytest.raises(InputError, match="' three' is not in the vocabulary"):
        config(tmp_path, ROWS).follow(book, 0)


def test_without_a_trained_model_a_checkpoint_is_asked_for(tmp_path):
    corpus = config(tmp_path, ROWS).build(0)
    assert corpus.entropy_bits == 4
    with pytest.raises(InputError, match="data=labelled is for models with their own tokenizer"):
        corpus.labelled(2, "invalid", 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a", "label": "maybe"}], "label of row 0 is 'maybe'; must be valid or true or"),
        ([{"text": "a"}], "row 0 has no label; its columns are text"),
        ([{"text": " ", "label": "valid"}], "the text of row 0 is ' '; must be text"),
        ([{"text": "a", "label": "valid", "is_complete": "x"}], "is_complete of row 0 is 'x'"),
        (ROWS[:1], "has 1 valid and 0 invalid texts; give both kinds"),
        (ROWS[:2], "has one problem, p; give at least two"),
    ],
)
def test_rows_that_cannot_be_used_are_refused_in_one_line(tmp_path, rows, message):
    with pytest.raises(InputError, match=message) as caught:
        config(tmp_path, rows).build(0)
    assert "\n" not in str(caught.value)


def test_a_folder_without_both_labels_is_refused(tmp_path):
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "a.txt").write_text("x")
    with pytest.raises(InputError, match="has no folder invalid"):
        LabelledTextsConfig(source=str(tmp_path)).build(0)
    (tmp_path / "invalid").mkdir()
    (tmp_path / "invalid" / "a.txt").write_text("")
    with pytest.raises(InputError, match="a.txt is empty; remove it"):
        LabelledTextsConfig(source=str(tmp_path)).build(0)
    with pytest.raises(InputError, match="data=labelled needs data.source"):
        LabelledTextsConfig().build(0)


def test_the_fingerprint_follows_the_texts(tmp_path):
    first = config(tmp_path, ROWS).build(0).fingerprint()
    assert config(tmp_path, ROWS).build(1).fingerprint() == first
    assert config(tmp_path, ROWS[::-1]).build(0).fingerprint() != first
    assert np.isfinite(config(tmp_path, ROWS).build(0).entropy_bits)
