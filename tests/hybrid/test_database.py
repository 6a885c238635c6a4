"""Full-text search of documents."""

import numpy as np
import pytest

from physlm.data.people.bios import BiosConfig
from physlm.errors import InputError
from physlm.hybrid.calibrated import database_of
from physlm.hybrid.database import Database

DOCUMENTS = [
    ("Ann B. Cole", "Ann B. Cole was born on May 3, 1990 in Zürich. She studied physics."),
    ("Dan E. Fox", "Dan E. Fox was born on May 3, 1991 in Austin. He studied physics."),
    ("Ann B. Fox", "Ann B. Fox was born on July 4, 1990 in Austin. She studied law."),
    ("Dan E. Fox", "In Austin, Dan E. Fox began to study physics."),
]


@pytest.fixture(scope="module")
def database():
    return Database.of(DOCUMENTS)


def numbers(hits):
    return [hit.document.number for hit in hits]


def test_rare_words_count_most(database):
    assert numbers(database.search("Who studied law?"))[0] == 2
    assert numbers(database.search("Who was born in Zurich?"))[0] == 0
    assert numbers(database.search("born on May 3, 1991 in Austin"))[0] == 1
    assert len(database.search("Fox", 2)) == 2
    hits = database.search("Austin physics")
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("text", ["", "?!", "zebra", 'a" OR "b', "NEAR(", "title:x -y *"])
def test_any_text_can_be_searched(database, text):
    assert all(
        hit.document in map(tuple, database.search(text)) or hit for hit in database.search(text)
    )


def test_people_who_are_named_are_found_in_the_order_of_the_question(database):
    found = database.about("Was Dan E. Fox born later than Ann B. Cole?")
    assert [document.title for document in found] == ["Dan E. Fox", "Ann B. Cole"]
    assert [document.title for document in database.about("Who studied law?")] == ["Ann B. Fox"]
    assert database.about("zebra") == []


def test_a_database_is_a_file_if_one_is_named(tmp_path):
    path = tmp_path / "people.db"
    Database.of(DOCUMENTS, path)
    assert path.stat().st_size
    with pytest.raises(InputError, match="exists already; delete it"):
        Database.of(DOCUMENTS, path)
    with pytest.raises(InputError, match="cannot be made: unable to open"):
        Database.of(DOCUMENTS, tmp_path / "no" / "people.db")


def test_the_biographies_of_a_world_are_cited_by_name():
    world = BiosConfig(n_people=30).build(0)
    database = database_of(world)
    assert len(database) == world.n_documents
    for person in np.arange(30):
        facts = world.facts(person)
        (own,) = database.about(f"When was {facts['name']} born?")
        assert own.title == facts["name"]
        assert all(value in own.text for value in facts.values())
        asked = f"Who was born on {facts['birth_date']} in {facts['birth_city']}?"
        assert database.about(asked)[0].title == facts["name"]
