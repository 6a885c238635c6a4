"""Overrides inside a text are split as by a shell, and refused in one line."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_gen.words import configured, split
from physlm.config import register
from physlm.data.people.bior import BiorConfig, persons_of
from physlm.errors import InputError


@pytest.mark.parametrize("name", ["texts", "my texts", "a=b", "o'brien"])
def test_a_file_of_any_name_is_found(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    register()
    _, (person,) = persons_of(BiorConfig(n_people=1), 0)
    text = f"{person.name}: {'. '.join(person.facts.values())}."
    table = pa.table({"person": [0], "name": [person.name], "text": [text]})
    pq.write_table(table, f"{name}.parquet")
    quoted = name.replace("'", "\\'")
    words = f"data=bior data.n_people=1 data.source=\"'{quoted}.parquet'\""
    if "'" not in name:
        words = f"data=bior data.n_people=1 \"data.source='{name}.parquet'\""
    config = configured(split(words))
    assert config.data.build(0).n_people == 1


def test_quotation_marks_hold_a_value_together():
    register()
    words = split("data=bior data.source='my texts.parquet' data.n_people=3")
    assert len(words) == 3
    assert configured(words).data.source == "my texts.parquet"


@pytest.mark.parametrize("words", ["data=bior data.source='x", "", " "])
def test_words_that_cannot_be_split_are_refused(words):
    with pytest.raises(InputError, match="close every quotation mark|is empty"):
        split(words)


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("nonsense", "is not KEY=VALUE"),
        ("data.source=o'brien", "cannot be read; quote its value"),
        ("data.n_people=[1", "cannot be read; quote its value"),
    ],
)
def test_text_that_is_no_override_is_named(word, remedy):
    register()
    with pytest.raises(InputError, match=remedy) as no:
        configured(("data=bior", word))
    assert str(no.value).startswith(word)
    assert "\n" not in str(no.value)
