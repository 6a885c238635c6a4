"""bioR: texts of the grammar of discourse, and texts from a file."""

import itertools
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from physlm.data.export import write_corpus
from physlm.data.people.augmentation import Subject
from physlm.data.people.bior import BiorConfig, persons_of
from physlm.data.people.bios import BiosConfig
from physlm.data.people.pools import ATTRIBUTES, lines
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.texts.discourse import Person, biography, forms
from physlm.data.tokens import TokenizerName
from physlm.run_id import identity

N = 200
KINDS = ("predicate", "opener", "apposition", "gerund", "statement")


@pytest.fixture(scope="module", params=["gpt2", "compact"])
def world(request):
    return config(tokenizer=TokenizerName(request.param)).build(0)


def config(**values):
    return BiorConfig(
        **{"n_people": N, "n_texts": 3, "include_question_vocabulary": True, **values}
    )


def texts_of(world, epoch=0):
    found = world.epoch(epoch, 0, N)
    rows = np.split(found.tokens, found.starts[1:-1])
    return found, [world.vocabulary.decode(row[1:]) for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_has_a_paraphrase_for_every_part(kind):
    couples = [ATTRIBUTES[i : i + 2] for i in (0, 2, 4)]
    parts = {frozenset(couple) for couple in couples} | {frozenset([a]) for a in ATTRIBUTES}
    assert set(forms(kind)) == parts
    texts = [line for name in KINDS for line in lines("discourse", name)]
    assert len(set(texts)) == len(texts)


def test_every_text_states_all_six_attributes_of_the_people_of_bios(world):
    bios = BiosConfig(n_people=N).build(0)
    truths = [bios.facts(person) for person in range(N)]
    for person, facts in enumerate(truths):
        facts.pop("gender")
        assert world.facts(person) == facts
    for epoch in range(3):
        found, texts = texts_of(world, epoch)
        assert sorted(found.people.tolist()) == list(range(N))
        for person, text in zip(found.people, texts, strict=True):
            assert all(value in text for value in truths[person].values())
            assert not re.search(r"[{}]|  |\.\.", text)
            assert text[0].isupper()
            assert text.endswith(".")


def test_every_span_spells_its_value(world):
    found, texts = texts_of(world)
    for i, text in enumerate(texts):
        row = found.tokens[found.starts[i] : found.starts[i + 1]]
        facts = world.facts(found.people[i])
        for (first, last), value in zip(
            [found.name_spans[i], *found.value_spans[i]], facts.values(), strict=True
        ):
            assert world.vocabulary.decode(row[first:last]).strip() == value
            assert text.startswith(world.vocabulary.decode(row[1:first]))


def test_equal_values_have_distinct_spans():
    """The people include some who work where they were born, and some at Corning in Corning."""
    world = config(
        n_people=1500, n_texts=1, include_question_vocabulary=False, tokenizer="compact"
    ).build(0)
    spans = world.rendering(0, np.arange(world.n_people)).value_spans
    facts = [world.facts(i) for i in range(world.n_people)]
    assert sum(f["birth_city"] == f["company_city"] for f in facts) > 2
    for i, j in itertools.combinations(range(len(ATTRIBUTES)), 2):
        assert not ((spans[:, i, 0] < spans[:, j, 1]) & (spans[:, j, 0] < spans[:, i, 1])).any()


def test_places_of_the_grammar_spell_the_values():
    """With values that occur nowhere else, each is at its place in the text."""
    facts = {name: f"<{name}>" for name in ATTRIBUTES}
    rng = np.random.default_rng(0)
    for _ in range(300):
        marked = Person("<name> <of> Somebody", "She", facts)
        text = biography(marked, rng)
        for name, value in {"name": marked.name, **facts}.items():
            first, last = text.places[name]
            assert first == text.text.index(value)
            assert last == first + len(value)


def test_texts_of_a_person_take_turns_and_differ(world):
    by_epoch = [
        dict(zip(f.people.tolist(), t, strict=True))
        for f, t in (texts_of(world, epoch) for epoch in range(6))
    ]
    for person in range(20):
        texts = [by_epoch[epoch][person] for epoch in range(6)]
        assert texts[:3] == texts[3:]
        assert len(set(texts[:3])) == 3


def test_sentence_frames_repeat_less_than_those_of_bios():
    """Sentence frames are texts without names and values; in bioS nearly all repeat."""
    frames = {}
    for name, world in (("bior", config().build(0)), ("bios", BiosConfig(n_people=N).build(0))):
        found, texts = texts_of(world)
        masked = []
        for person, text in zip(found.people, texts, strict=True):
            for value in sorted(world.facts(person).values(), key=len, reverse=True):
                text = text.replace(value, "_")  # noqa: PLW2901
            masked += re.split(r"(?<=\.) ", text)
        frames[name] = len(set(masked)) / len(masked)
    assert frames["bior"] > 1.5 * frames["bios"]


def test_subject_full_name_puts_the_full_name_into_every_sentence():
    world = config(subject=Subject.full_name).build(0)
    found, texts = texts_of(world)
    for person, text in zip(found.people, texts, strict=True):
        name = world.facts(person)["name"]
        assert not re.search(r"\b([Hh]e|[Ss]he)\b", text)
        for sentence in re.split(r"(?<=[a-z)])\. ", text):
            assert name in sentence


def test_questions_about_people_of_bior_have_their_answers(world):
    questions = QuestionsConfig().follow(world, 0)
    ranking = ManipulationConfig(tasks=["birth_month_ranking"]).follow(world, 0)
    text = world.vocabulary.decode(questions.documents(*np.zeros((3, 1), int)).tokens)
    facts = world.facts(0)
    assert text.endswith(f"{facts['name']}? Answer: {facts['birth_date']}")
    assert ranking.n_documents == N // 2


def written(tmp_path, *, n_people=N, n_texts=2, names=None):
    _, persons = persons_of(config(n_people=n_people), 0)
    rows = [
        {
            "person": i,
            "name": (names or {}).get(i, p.name),
            "text": f"Text {t}: {p.name} {' '.join(p.facts.values())}.",
        }
        for i, p in enumerate(persons)
        for t in range(n_texts)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "texts.parquet")
    return str(tmp_path / "texts.parquet")


def test_texts_of_a_file_are_rendered_unchanged(tmp_path):
    world = config(n_texts=2, source=written(tmp_path)).build(0)
    found, texts = texts_of(world, 1)
    for person, text in zip(found.people, texts, strict=True):
        facts = world.facts(person)
        assert re.fullmatch(rf"Text [01]: {re.escape(' '.join(facts.values()))}\.", text)
    assert world.fingerprint() != config(n_texts=2).build(0).fingerprint()


@pytest.mark.parametrize(
    ("values", "file", "message"),
    [
        ({"n_texts": 0}, {}, "n_texts=0; must be at least 1"),
        ({"n_texts": 3}, {}, "n_texts=3, but source=.* has 2 of person 0; write more texts"),
        (
            {},
            {"names": {7: "Nobody"}},
            "is about Nobody, but the person of this world is .*; use the n_people",
        ),
        ({"subject": Subject.full_name}, {}, "prompt the rewriting model for full names"),
    ],
)
def test_values_and_files_that_do_not_fit_are_refused(tmp_path, values, file, message):
    with pytest.raises(ValueError, match=message):
        config(**{"n_texts": 2, "source": written(tmp_path, **file), **values}).build(0)


def test_files_of_other_content_are_refused(tmp_path):
    path = tmp_path / "garbage.parquet"
    path.write_text("no table")
    with pytest.raises(ValueError, match="is not a file of biographies"):
        config(source=str(path)).build(0)
    with pytest.raises(ValueError, match=r"nothing.parquet does not exist; give an existing path"):
        config(source=str(tmp_path / "nothing.parquet")).build(0)
    with pytest.raises(ValueError, match="is a folder; give a Parquet file"):
        config(source=str(tmp_path)).build(0)


def test_a_file_of_texts_enters_the_run_id_by_its_content(tmp_path):
    first = config(n_texts=1, source=written(tmp_path))
    moved = tmp_path / "elsewhere.parquet"
    moved.write_bytes((tmp_path / "texts.parquet").read_bytes())
    assert identity(config(n_texts=1, source=str(moved))) == identity(first)
    again = config(n_texts=1, source=written(tmp_path, n_texts=3))
    assert identity(again) != identity(first)
    with pytest.raises(ValueError, match=r"texts.parquet has changed"):
        first.build(0)


def test_a_corpus_on_disk_has_texts_and_spans(tmp_path):
    world = config(tokenizer=TokenizerName.compact).build(0)
    folder = write_corpus(world, tmp_path / "corpus", n_epochs=1, description={})
    rows = pq.read_table(folder / "documents.parquet").to_pylist()
    for row in rows[:20]:
        tokens = np.array(row["tokens"])
        value = world.vocabulary.decode(tokens[row["major_start"] : row["major_end"]])
        assert value.strip() == world.facts(row["person"])["major"]
        assert value.strip() in row["text"]


def test_the_fingerprint_depends_on_texts_and_seed():
    worlds = [config().build(0), config().build(1), config(n_texts=2).build(0)]
    assert len({world.fingerprint() for world in worlds}) == 3
    assert config().build(0).fingerprint() == worlds[0].fingerprint()
