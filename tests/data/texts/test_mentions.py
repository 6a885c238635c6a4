"""Mentions of facts: whole words, the longest value, and one mention per fact."""

import numpy as np
import pytest

from physlm.data.people.bior import BiorConfig, persons_of
from physlm.data.texts.discourse import Person, biography
from physlm.data.texts.fixed_texts import located
from physlm.data.texts.mentions import mentions
from physlm.data.texts.rewriting import lacking
from physlm.data.tokens import TokenizerName, Vocabulary

DANA = Person(
    "Dana Ann Lee",
    "She",
    {
        "birth_date": "May 1, 1950",
        "birth_city": "Chicago, IL",
        "university": "Yale University",
        "major": "Biology",
        "employer": "AbbVie",
        "company_city": "North Chicago, IL",
    },
)
SAID = "Dana Ann Lee, born on May 1, 1950 in {}, took {} at Yale University and works for {} in {}."


def of(**facts):
    return DANA._replace(facts={**DANA.facts, **facts})


def place(text, fact, person=DANA):
    return mentions(text, {"name": person.name, **person.facts})[fact]


@pytest.mark.parametrize(
    ("fact", "person", "before", "after"),
    [
        ("birth_city", DANA, "Her office is in North Chicago, IL. ", ""),
        ("major", DANA, "She liked Marine Biology at first. ", ""),
        ("major", DANA, "Biologys and Microbiology came first. ", ""),
        (
            "employer",
            of(employer="Corning", company_city="Corning, NY"),
            "In Corning, NY there is Owens Corning. ",
            "",
        ),
        ("name", DANA, "Dana Ann Leeds is somebody else. ", ""),
        ("birth_date", DANA, "May 1, 19500 is far. ", ""),
    ],
)
def test_a_value_is_not_found_within_another_or_within_a_word(fact, person, before, after):
    facts = person.facts
    statement = SAID.format(
        facts["birth_city"], facts["major"], facts["employer"], facts["company_city"]
    )
    value = person.name if fact == "name" else facts[fact]
    text = before + statement + after
    shift = {"employer": statement.index("works for ") + 10}.get(fact, statement.index(value))
    assert place(text, fact, person) == (len(before) + shift, len(before) + shift + len(value))


def test_a_value_only_within_another_is_lacking():
    statement = SAID.format("Chicago, IL", "Biology", "AbbVie", "North Chicago, IL")
    assert lacking(statement, DANA) == []
    assert lacking(statement.replace(" in Chicago, IL", ""), DANA) == ["birth_city"]
    assert lacking(statement.replace("Biology", "Marine Biology"), DANA) == ["major"]
    assert lacking(statement.replace("AbbVie", "AbbVies"), DANA) == ["employer"]


def test_one_mention_does_not_serve_two_facts():
    local = of(birth_city="Austin, TX", company_city="Austin, TX", employer="Oracle")
    text = SAID.format("Austin, TX", "Biology", "Oracle", "Austin, TX")
    assert lacking(text, local) == []
    first, second = (place(text, fact, local) for fact in ("birth_city", "company_city"))
    assert first[0] == text.index("Austin")
    assert second[0] == text.rindex("Austin")
    assert lacking(text.replace(" in Austin, TX.", "."), local) == ["company_city"]
    assert lacking(text.replace(" in Austin, TX,", ","), local) == ["birth_city"]


@pytest.mark.parametrize(
    "text",
    [
        "Dana Ann Lee works for Oracle in {0}. She was born in {1} on May 1, 1950.",
        "In {0}, at Oracle, sits Dana Ann Lee. May 1, 1950 was when she was born, in {1}.",
        "Dana Ann Lee was born on May 1, 1950. She works in {0} for Oracle and was born in {1}.",
    ],
)
def test_a_mention_belongs_to_the_nearest_fact_of_its_couple(text):
    local = of(birth_city="Austin, TX", company_city="Austin, TX", employer="Oracle")
    text = text.format("Austin, TX", "Austin, TX")
    assert place(text, "company_city", local)[0] == text.index("Austin")
    assert place(text, "birth_city", local)[0] == text.rindex("Austin")


def test_mentions_in_texts_of_the_grammar_are_the_intended_ones():
    """Nearly always for people who work where they were born, always for all others."""
    _, persons = persons_of(BiorConfig(n_people=300), 0)
    rng, n_right = np.random.default_rng(0), 0
    for person in persons:
        wanted = {"name": person.name, **person.facts}
        if person.facts["birth_city"] != person.facts["company_city"]:
            written = biography(person, rng)
            assert mentions(written.text, wanted) == written.places
        local = person._replace(facts={**person.facts, "birth_city": person.facts["company_city"]})
        written = biography(local, rng)
        found = mentions(written.text, {"name": local.name, **local.facts})
        assert found.keys() == written.places.keys()
        n_right += found == written.places
    assert n_right > 0.9 * len(persons)


def test_token_spans_of_fixed_texts_spell_their_mentions():
    text = "She liked Marine Biology at first. " + SAID.format(
        "Chicago, IL", "Biology", "AbbVie", "North Chicago, IL"
    )
    vocabulary = Vocabulary.build(TokenizerName.compact, [text])
    tokens, _, spans = located([text], [{"name": DANA.name, **DANA.facts}], vocabulary)
    facts = ["name", *DANA.facts]
    first, last = spans[0, facts.index("major")]
    assert vocabulary.decode(tokens[first - 1 : last]) == " took Biology"
    with pytest.raises(
        ValueError, match=r"text 0 does not state the employer AbbVie in whole words"
    ):
        located([text.replace("AbbVie", "AbbVies")], [DANA.facts], vocabulary)
