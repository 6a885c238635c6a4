"""Manipulation tasks, compared with facts read from the biographies."""

import re

import numpy as np
import pytest

from physlm.data.people.biod import BiodConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.fact_table import major_rank
from physlm.data.people.pools import ATTRIBUTES, MONTHS
from physlm.data.people.qa_split import world_of
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.tasks.manipulation_tasks import tasks
from physlm.data.tokens import TokenizerName

N = 40


@pytest.fixture(scope="module", params=["compact", "gpt2"])
def people(request):
    return BiosConfig(
        n_people=N, include_question_vocabulary=True, tokenizer=TokenizerName(request.param)
    ).build(0)


@pytest.fixture(scope="module")
def truth(people):
    return [people.facts(i) for i in range(N)]


def corpus(people, *names, **values):
    return ManipulationConfig(tasks=list(names), **values).follow(people, 0)


def documents_of(qa, number=0):
    found = qa.epoch(number, 0, qa.n_documents)
    eos = qa.vocabulary.eos
    rows = np.split(found.tokens, found.starts[1:-1])
    assert all(row[0] == eos for row in rows)
    return [qa.vocabulary.decode(row[1:]).strip() for row in rows]


def month_of(facts):
    return MONTHS.index(facts["birth_date"].split()[0]) + 1


def rank_of(facts):
    return major_rank()[facts["major"]]


def signed(number):
    return f"minus {-number}" if number < 0 else str(number)


def expected(name, one, other, everyone):
    """The answer of a task, and its hint."""
    year = one["birth_date"][-4:]
    if name == "born_in_year":
        born = sorted(p["name"] for p in everyone if p["birth_date"].endswith(year))
        return ", ".join(born), ""
    if "_then_" in name:
        a, b = name.split("_then_")
        first, second = sorted((a, b), key=ATTRIBUTES.index)
        return f"{one[a]}; {one[b]}", f"{one[first]}; {one[second]}"
    if "name_from" in name:
        full = one["name"]
        facts = "; ".join(one[a] for a in ATTRIBUTES)
        return (full if name.startswith("full") else full.split()[0]), facts
    if name == "city_of_employer":
        return one["company_city"], one["employer"]
    if name in ("birth_day", "birth_year"):
        day = re.fullmatch(r"\w+ (\d+), \d+", one["birth_date"])[1]
        return (day if name == "birth_day" else year), one["birth_date"]
    return computed(name, one, other)


def computed(name, one, other):
    """The answer and hint of a task on birth months or major ranks."""
    is_month = name.startswith("birth_month")
    number = month_of if is_month else rank_of
    hints = [MONTHS[month_of(p) - 1] if is_month else p["major"] for p in (one, other)]
    if name.endswith("ranking"):
        answer = "Yes" if number(one) > number(other) else "No"
    elif name.endswith("subtraction"):
        answer = signed(number(one) - number(other))
    else:
        rest = number(one) % int(name.rsplit("_", 1)[1])
        is_parity = name == "birth_month_mod_2"
        return (("No" if rest else "Yes") if is_parity else str(rest)), hints[0]
    return answer, "; ".join(hints)


def named(text, truth):
    """The people named in a text, in order."""
    found = [(text.index(p["name"]), i) for i, p in enumerate(truth) if p["name"] in text]
    return [i for _, i in sorted(found)]


@pytest.mark.parametrize("name", tasks())
def test_answers_and_hints_follow_from_the_biographies(people, truth, name):
    fraction = 0.0 if name == "born_in_year" else 0.5
    qa = corpus(people, name, hint_fraction=fraction)
    with_hint = 0
    for text in documents_of(qa):
        question, answer = re.split(r" Answer:|\. Answer:", text)
        question, _, facts = question.partition(" Facts: ")
        if name == "born_in_year":
            year = re.search(r"in (\d{4})\?", question)[1]
            one = next(p for p in truth if p["birth_date"].endswith(year))
        elif "name_from" in name:
            given = [p for p in truth if p["birth_date"] in question]
            one = next(p for p in given if p["name"].startswith(answer.strip()))
            n = {"birth_date": 1, "date_and_city": 2, "three": 3, "four": 4, "all": 6}
            for i, attribute in enumerate(ATTRIBUTES):
                assert i >= n[name.partition("_from_")[2]] or one[attribute] in question
        else:
            one = truth[named(question, truth)[0]]
        pair = named(question, truth)
        assert len(pair) == (
            0
            if "name_from" in name or name == "born_in_year"
            else 2
            if name.endswith(("ranking", "subtraction"))
            else 1
        )
        right, follows = expected(name, one, truth[pair[-1]] if pair else None, truth)
        assert answer.strip() == right
        assert not facts or facts == follows
        with_hint += bool(facts)
    assert fraction * 0.2 <= with_hint / qa.n_documents <= fraction * 1.8


@pytest.mark.parametrize("names", [["birth_day", "birth_month_ranking"], ["born_in_year"]])
def test_no_training_question_names_a_held_out_person(people, truth, names):
    qa = corpus(people, *names)
    tested = {truth[i]["name"] for i in qa.test}
    assert tested
    assert len(tested) + len(qa.train) == N
    texts = [text for number in range(30) for text in documents_of(qa, number)]
    assert not any(name in text for name in tested for text in texts)
    assert all(any(truth[i]["name"] in text for text in texts) for i in qa.train)


def test_the_split_equals_that_of_data_questions(people):
    questions = QuestionsConfig().follow(people, 0)
    qa = corpus(people, "birth_day")
    assert set(np.flatnonzero(questions.is_trained)) == set(qa.train)


def test_an_epoch_asks_each_task_once_per_person_with_varying_partners(people, truth):
    qa = corpus(people, "birth_year", "birth_month_ranking")
    first, second = documents_of(qa), documents_of(qa, 1)
    for texts in (first, second):
        alone = [named(t, truth)[0] for t in texts if "year" in t]
        pairs = [named(t, truth) for t in texts if "month" in t]
        assert sorted(alone) == qa.train.tolist()
        assert sorted(p[0] for p in pairs) == qa.train.tolist()
        assert all(len(p) == 2 for p in pairs)
    assert first != second
    assert set(first) != set(second)


def test_smaller_training_sets_are_subsets_of_larger_ones(people):
    few, more = (corpus(people, "birth_day", n_train_people=n).train for n in (5, 9))
    assert len(few) == 5
    assert set(few) < set(more) < set(corpus(people, "birth_day").train)


def test_prompts_end_where_the_answer_or_hint_begins(people):
    qa = corpus(people, "birth_month_mod_6")
    items = qa.tasks[0].ask(qa.fact_table, np.arange(N)[:, None])
    decode = qa.vocabulary.decode
    without_hint = [decode(p) for p in qa.prompts(items, wants_hint=False)]
    first = [decode(p) for p in qa.prompts(items, wants_hint=True)]
    hints = [decode(p) for p in qa.prompts_with_hint(items, items.hint)]
    facts = qa.texts(items.hint)
    for a, b, c, fact in zip(without_hint, first, hints, facts, strict=True):
        assert a.endswith("? Answer:")
        assert b == a.replace(" Answer:", " Facts:")
        assert c == f"{b} {fact}. Answer:"


def test_parts_of_an_epoch_match_the_whole(people):
    qa = corpus(people, "birth_year", "major_rank_ranking", hint_fraction=0.5)
    whole = qa.epoch(3, 0, qa.n_documents)
    part = qa.epoch(3, 7, 15)
    np.testing.assert_array_equal(part.tokens, whole.tokens[whole.starts[7] : whole.starts[15]])


def test_major_ranks_are_one_permutation_of_all_majors_in_every_world():
    assert sorted(major_rank().values()) == list(range(100))
    small = BiosConfig(n_people=N, include_question_vocabulary=True, pool_size=10).build(3)
    qa = corpus(small, "major_rank_mod_100")
    assert len(set(qa.fact_table.major_ranks.tolist())) <= 10


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tasks": []}, "name at least one of birth_day"),
        ({"tasks": ["birth_hour"]}, "birth_hour is unknown; use some of birth_day"),
        (
            {"tasks": ["born_in_year", "birth_day"]},
            "splits years instead of people; make it the only task",
        ),
        ({"tasks": ["born_in_year"], "hint_fraction": 0.5}, "born_in_year has no hint"),
        ({"train_fraction": 1.0}, "train_fraction=1.0; must be above 0"),
        ({"n_train_people": 1}, "n_train_people=1; must be at least 2"),
        ({"hint_fraction": 1.5}, "hint_fraction=1.5; must be from 0 to 1"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ManipulationConfig(**values)


def test_worlds_without_people_or_words_for_questions_are_refused():
    with pytest.raises(ValueError, match="name it by init_from"):
        ManipulationConfig().build(0)
    with pytest.raises(ValueError, match="asks about people of data=bios"):
        ManipulationConfig().follow(BiodConfig(n_people=N).build(0), 0)
    compact = BiosConfig(n_people=N, tokenizer=TokenizerName.compact).build(0)
    with pytest.raises(ValueError, match="pretrain with data.include_question_vocabulary=true"):
        ManipulationConfig().follow(compact, 0)
    few = BiosConfig(n_people=3, include_question_vocabulary=True).build(0)
    with pytest.raises(ValueError, match="train_fraction=0.5 of 3 people leaves fewer than two"):
        ManipulationConfig().follow(few, 0)


def test_fingerprints_of_different_worlds_and_questions_differ(people):
    base = corpus(people, "birth_day")
    others = [
        corpus(people, "birth_year"),
        corpus(people, "birth_day", n_train_people=9),
        corpus(people, "birth_day", hint_fraction=0.5),
        ManipulationConfig(tasks=["birth_day"]).follow(people, 1),
    ]
    assert base.fingerprint() == corpus(people, "birth_day").fingerprint()
    assert len({c.fingerprint() for c in [base, *others]}) == 5


def test_a_later_run_can_ask_other_questions_about_the_same_people(people):
    earlier = corpus(people, "birth_day")
    assert world_of(earlier) is people
    later = QuestionsConfig().follow(earlier, 0)
    assert later.world is people
    assert set(np.flatnonzero(later.is_trained)) == set(earlier.train)


def test_holding_out_training_people_of_an_earlier_run_is_refused(people):
    earlier = corpus(people, "birth_day", train_fraction=0.5)
    assert corpus(earlier, "birth_year").was_trained.sum() == N // 2
    with pytest.raises(ValueError, match="trained on questions about 10 of the 30 held-out people"):
        corpus(earlier, "birth_year", train_fraction=0.25)
    with pytest.raises(ValueError, match="trained on questions about 10 of the 30 held-out people"):
        QuestionsConfig(train_fraction=0.25).follow(earlier, 0)
    with pytest.raises(ValueError, match="held-out people"):
        corpus(earlier, "born_in_year")
    later = corpus(corpus(earlier, "birth_year"), "birth_day", n_train_people=5)
    assert later.was_trained.sum() == N // 2
