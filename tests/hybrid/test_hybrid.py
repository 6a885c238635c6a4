"""The hybrid system, with models whose answers are known."""

from functools import cache

import numpy as np
import pytest

from physlm.data.people.bios import BiosConfig
from physlm.data.people.pools import MONTHS
from physlm.data.people.question_vocabulary import ANSWER
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.tasks.task import HINT
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from physlm.hybrid.calibrated import calibrated
from physlm.hybrid.hybrid_scorer import HybridScorerConfig
from physlm.hybrid.router import Method
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from tests.eval.oracle import saying
from tests.hybrid.reasoner import Reasoner

TASKS = ["birth_month_mod_2", "birth_month_ranking", "full_name_from_all", "birth_year"]


@cache
def corpus():
    people = BiosConfig(
        n_people=60, include_question_vocabulary=True, tokenizer=TokenizerName.compact
    ).build(0)
    return ManipulationConfig(tasks=TASKS, hint_fraction=0.5).follow(people, 0)


@cache
def system():
    return calibrated(Reasoner(corpus().vocabulary), corpus(), max_questions=50, batch_size=16)


@cache
def metrics():
    scorer = HybridScorerConfig(max_questions=50, batch_size=16)
    model = Reasoner(corpus().vocabulary)
    scorer.check(model, corpus())
    return by_text(scorer.measure(model, corpus()).metrics)


def test_questions_are_read_as_in_training():
    for task in corpus().tasks:
        people = np.arange(2 * task.n_people).reshape(2, task.n_people)
        items = task.ask(corpus().fact_table, people)
        for wants_hint, last in ((False, ANSWER), (True, HINT)):
            prompts = corpus().prompts(items, wants_hint=wants_hint)
            texts = [f"{text}{last}" for text in corpus().texts(items.question)]
            for prompt, text in zip(prompts, texts, strict=True):
                assert corpus().vocabulary.encode_document(text).tolist() == prompt.tolist()


def test_facts_of_documents_make_a_reasoner_right_who_knows_nobody():
    for task in ("birth_month_mod_2", "birth_month_ranking"):
        found = {
            method: metrics()[f"hybrid/accuracy{{method={method},task={task}}}"].value
            for method in ("model", "hint", "grounded", "together")
        }
        assert found["grounded"] == found["together"] == 1
        assert max(found["model"], found["hint"]) < 0.9
    assert metrics()["hybrid/routed{method=grounded,task=birth_month_ranking}"].value == 1


def test_names_are_looked_up():
    dims = "task=full_name_from_all"
    assert metrics()[f"hybrid/accuracy{{method=together,{dims}}}"].value == 1
    assert metrics()[f"hybrid/accuracy{{method=model,{dims}}}"].value == 0
    assert metrics()[f"hybrid/routed{{method=database,{dims}}}"].value == 1
    assert metrics()[f"hybrid/tokens{{method=database,{dims}}}"].value == 0
    for name in ("document_found", "kind_error", "regret"):
        assert metrics()[f"hybrid/{name}{{{dims}}}"].value == (name == "document_found")


def test_values_that_training_knows_are_read_from_documents():
    (asked,) = (asked for asked in system().tested if asked.task == "birth_year")
    known = system().hybrid.values["birth_year"]
    answers = system().hybrid.answers(asked.texts, Method.database)
    is_known = [bool(right & known) for right in asked.accepted]
    assert asked.are_right(answers).tolist() == is_known
    assert 0 < sum(is_known) < len(is_known)


def test_tested_people_are_held_out_and_not_calibrated_on():
    names = corpus().world.full_names()
    tested = {
        name
        for asked in system().tested
        if asked.task == "birth_year"
        for text in asked.texts
        for name in names
        if name in text
    }
    held_out = [names[i] for i in corpus().test]
    assert tested == set(held_out[1::2])


def test_answers_cite_the_documents_that_they_rest_on():
    name = corpus().world.full_names()[corpus().test[1]]
    month = corpus().world.facts(corpus().test[1])["birth_date"].split()[0]
    answer = system().hybrid.ask(f"Was {name} born in an even month?")
    assert answer.method is Method.grounded
    assert [document.title for document in answer.citations] == [name]
    assert month in answer.citations[0].text
    assert answer.facts == month
    assert answer.text == ("Yes" if MONTHS.index(month) % 2 else "No")
    assert answer.n_tokens > 10


def test_two_people_are_compared_by_their_own_documents():
    names = corpus().world.full_names()
    one, other = (int(i) for i in corpus().test[:2])
    months = [corpus().world.facts(i)["birth_date"].split()[0] for i in (one, other)]
    answer = system().hybrid.ask(f"Was {names[one]} born in a later month than {names[other]}?")
    assert answer.facts == "; ".join(months)
    assert [document.title for document in answer.citations] == [names[one], names[other]]


def test_a_word_that_the_model_does_not_know_is_refused():
    with pytest.raises(InputError, match="is not in the vocabulary"):
        system().hybrid.answers(["Was Xerxes born in an even month?"], Method.model)


def test_a_model_without_facts_or_answers_has_none():
    silent = saying(corpus().vocabulary, lambda _: "")
    own = calibrated(silent, corpus(), max_questions=8, batch_size=8).hybrid
    name = corpus().world.full_names()[0]
    answer = own.answers([f"Was {name} born in an even month?"], Method.hint)[0]
    assert (answer.text, answer.facts, answer.citations) == ("", "", ())


def test_worlds_without_hints_or_people_are_refused():
    people = BiosConfig(n_people=60, include_question_vocabulary=True).build(0)
    plain = ManipulationConfig(tasks=TASKS[:1]).follow(people, 0)
    model = DecoderConfig(n_layers=1, d_model=8, n_heads=1).build(plain.vocabulary.size, 64, 0)
    with pytest.raises(InputError, match=r"train it with data\.hint_fraction=0\.5"):
        HybridScorerConfig().check(model, plain)
    with pytest.raises(InputError, match="use that world"):
        HybridScorerConfig().check(model, people)
    few = ManipulationConfig(tasks=TASKS[:1], hint_fraction=0.5, train_fraction=0.95)
    with pytest.raises(InputError, match="has 3 held-out people; at least four"):
        HybridScorerConfig().check(model, few.follow(people, 0))
