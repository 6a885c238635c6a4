"""Tables of texts from other tools: read as intended, or refused by row."""

import decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from physlm.data.people.bior import BiorConfig, persons_of
from physlm.data.tokens import TokenizerName

N = 3
_, PERSONS = persons_of(BiorConfig(n_people=N), 0)
NAMES = [person.name for person in PERSONS]
TEXTS = [f"{person.name}: {'. '.join(person.facts.values())}." for person in PERSONS]


def world(tmp_path, people, names=NAMES, texts=TEXTS):
    columns = {"person": people, "name": names, "text": texts}
    pq.write_table(pa.table(columns), tmp_path / "texts.parquet")
    return read(tmp_path)


def read(tmp_path):
    return BiorConfig(
        n_people=N, source=str(tmp_path / "texts.parquet"), tokenizer=TokenizerName.compact
    ).build(0)


def rendered(corpus):
    return [
        corpus.vocabulary.decode(corpus.rendering(0, pa.array([i]).to_numpy()).tokens[1:])
        for i in range(N)
    ]


@pytest.mark.parametrize(
    "people",
    [
        pa.array([0, 1, 2], pa.int8()),
        pa.array([0, 1, 2], pa.uint64()),
        pa.array([0.0, 1.0, 2.0]),
        pa.array([0, 1, 2], pa.float32()),
        pa.array([decimal.Decimal(i) for i in range(N)], pa.decimal128(38)),
        pa.array([0, 1, 2]).dictionary_encode(),
    ],
)
def test_person_numbers_are_read_from_every_numeric_type(tmp_path, people):
    assert rendered(world(tmp_path, people)) == TEXTS


@pytest.mark.parametrize(
    "text",
    [
        pa.large_string(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.large_string()),
    ],
)
def test_texts_are_read_from_every_string_type(tmp_path, text):
    names, texts = pa.array(NAMES).cast(text), pa.array(TEXTS).cast(text)
    assert rendered(world(tmp_path, pa.array([0, 1, 2]), names, texts)) == TEXTS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people": ["0", "1", "2"]}, "column person has type string; must be whole numbers"),
        ({"people": [False, True, True]}, "column person has type bool; must be whole numbers"),
        ({"people": [0, None, 2]}, r"row 1 \(of 0 to 2\) has no person; complete the row"),
        ({"people": [0.0, float("nan"), 2.0]}, "row 1 .* has no person"),
        ({"people": [0, 1, -1]}, "row 2 .* has person=-1; must be a whole number from 0"),
        ({"people": [0, 1.5, 2]}, "row 1 .* has person=1.5; must be a whole number"),
        ({"people": [0, 1, float("inf")]}, "row 2 .* has person=inf; must be a whole number"),
        ({"texts": [TEXTS[0], None, TEXTS[2]]}, "row 1 .* has no text; complete the row"),
        ({"texts": [*TEXTS[:2], " "]}, "row 2 .* has no text"),
        ({"names": [*NAMES[:2], None]}, "row 2 .* has no name"),
        ({"texts": [[text] for text in TEXTS]}, "column text has type list<.*>; must be text"),
        ({"texts": [text.encode() for text in TEXTS]}, "column text has type binary; must be text"),
        ({"names": [0, 1, 2]}, "column name has type int64; must be text"),
        ({"texts": [TEXTS[0], "Nothing.", TEXTS[2]]}, "row 1 .* does not state the name"),
        ({"people": [0, 2, 1]}, "row 1 .* is about .*, but the person of this world is"),
        (
            {"people": [], "names": [], "texts": []},
            "column person has type null; must be whole numbers",
        ),
        (
            {
                "people": pa.array([], pa.int64()),
                "names": pa.array([], pa.string()),
                "texts": pa.array([], pa.string()),
            },
            "n_texts=1, but source=.* has 0 of person 0",
        ),
    ],
)
def test_bad_rows_are_refused_with_file_row_and_rule(tmp_path, change, message):
    columns = {"people": [0, 1, 2], "names": NAMES, "texts": TEXTS, **change}
    with pytest.raises(ValueError, match=message) as refused:
        world(tmp_path, **columns)
    assert "texts.parquet" in str(refused.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["person", "name"], "has 0 columns named text; needs one each of person, name, text"),
        (["person", "name", "text", "text"], "has 2 columns named text"),
    ],
)
def test_missing_and_repeated_columns_are_refused(tmp_path, names, message):
    columns = {"person": [0, 1, 2], "name": NAMES, "text": TEXTS}
    table = pa.Table.from_arrays([pa.array(columns[name]) for name in names], names=names)
    pq.write_table(table, tmp_path / "texts.parquet")
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


def test_invalid_utf8_is_refused(tmp_path):
    raw = pa.array([*(text.encode() for text in TEXTS[:2]), b"\xff\xfe"])
    broken = pa.StringArray.from_buffers(N, *raw.buffers()[1:])
    with pytest.raises(ValueError, match="is not a file of biographies: .*UTF8"):
        world(tmp_path, pa.array([0, 1, 2]), texts=broken)
