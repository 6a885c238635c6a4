"""Questions: split of people, paraphrases, and no held-out person in training."""

import numpy as np
import pytest

from physlm.data.people.augmentation import AugmentationConfig, Order
from physlm.data.people.bios import BiosConfig
from physlm.data.people.pools import ATTRIBUTES, questions
from physlm.data.people.questions import N_PARAPHRASES, QuestionsConfig, TrainOn
from physlm.data.tokens import TokenizerName
from tests.conftest import tiny_biod_config


def world(n_people=40, **changes):
    return BiosConfig(
        **(
            {
                "n_people": n_people,
                "include_question_vocabulary": True,
                "tokenizer": TokenizerName.compact,
            }
            | changes
        )
    ).build(3)


@pytest.fixture(scope="module", params=list(TokenizerName))
def people(request):
    return world(tokenizer=request.param)


def texts(corpus, epoch=0):
    documents = corpus.epoch(epoch, 0, corpus.n_documents)
    return [
        corpus.vocabulary.decode(documents.tokens[a + 1 : b])
        for a, b in zip(documents.starts[:-1], documents.starts[1:], strict=True)
    ]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_question_has_distinct_paraphrases_around_the_name(attribute):
    paraphrases = questions(attribute)
    assert len(set(paraphrases)) == len(paraphrases) == N_PARAPHRASES
    assert all(before and not before.endswith(" ") for before, _ in paraphrases)
    assert all(after[-1] in "?." for _, after in paraphrases)


def test_no_two_attributes_share_a_paraphrase():
    every = [paraphrase for attribute in ATTRIBUTES for paraphrase in questions(attribute)]
    assert len(set(every)) == len(every)


def test_an_epoch_asks_once_for_every_fact_of_the_training_people(people):
    corpus = QuestionsConfig().follow(people, seed=0)
    expected = []
    for person in np.flatnonzero(corpus.is_trained):
        facts = people.facts(person)
        for attribute in ATTRIBUTES:
            before, after = questions(attribute)[0]
            question = f"{before} {facts['name']}{after}"
            expected.append(f"{question} Answer: {facts[attribute]}")
    assert sorted(texts(corpus)) == sorted(expected)
    assert texts(corpus, 0) != texts(corpus, 1)


def test_no_training_question_names_a_held_out_person(people):
    corpus = QuestionsConfig(n_paraphrases=N_PARAPHRASES, exposures=5).follow(people, seed=0)
    assert corpus.is_trained.sum() == 20
    written = " ".join(" ".join(texts(corpus, epoch)) for epoch in range(5))
    for person in range(40):
        assert (people.facts(person)["name"] in written) == corpus.is_trained[person]


def test_the_split_depends_on_the_world_and_the_fraction_alone(people):
    one = QuestionsConfig(n_paraphrases=3).follow(people, seed=0)
    other = QuestionsConfig(exposures=2).follow(one, seed=9)
    assert np.array_equal(one.is_trained, other.is_trained)
    wider = QuestionsConfig(train_fraction=0.8).follow(people, seed=0).is_trained
    assert wider.sum() == 32
    assert wider[one.is_trained].all()


def test_only_the_first_paraphrases_are_trained(people):
    corpus = QuestionsConfig(n_paraphrases=2).follow(people, seed=0)
    beginnings = {before for attribute in ATTRIBUTES for before, _ in questions(attribute)[:2]}
    seen = [text for epoch in range(4) for text in texts(corpus, epoch)]
    assert all(any(text.startswith(before) for before in beginnings) for text in seen)
    for attribute in ATTRIBUTES:
        assert all(
            any(text.startswith(before) for text in seen) for before, _ in questions(attribute)[:2]
        )


def test_prompts_end_where_the_answer_begins(people):
    corpus = QuestionsConfig().follow(people, seed=0)
    chosen = np.array([5, 7]), np.array([0, 3]), np.array([4, 9])
    documents = corpus.documents(*chosen)
    for i, prompt in enumerate(corpus.prompts(*chosen)):
        whole = documents.tokens[documents.starts[i] : documents.starts[i + 1]]
        assert np.array_equal(whole[: len(prompt)], prompt)
        rest = corpus.vocabulary.decode(whole[len(prompt) :]).strip()
        assert rest == corpus.answer(chosen[0][i], chosen[1][i])
        assert rest == people.facts(chosen[0][i])[ATTRIBUTES[chosen[1][i]]]
        assert len(whole) - len(prompt) <= corpus.longest_answer


def test_parts_of_an_epoch_match_the_whole(people):
    corpus = QuestionsConfig(n_paraphrases=5).follow(people, seed=0)
    whole = corpus.epoch(3, 0, 120).tokens
    parts = [corpus.epoch(3, a, b).tokens for a, b in ((0, 50), (50, 51), (51, 120))]
    assert np.array_equal(whole, np.concatenate(parts))


def test_questions_cover_reversed_biographies_and_minorities():
    reversed_text = AugmentationConfig(n_paraphrases=1, name_position=6, order=Order.fixed)
    corpus = world(
        augmentation=reversed_text,
        n_minority=10,
        minority_augmentation=AugmentationConfig(n_paraphrases=1),
    )
    qa = QuestionsConfig(train_fraction=0.5).follow(corpus, 0)
    people = np.arange(50)
    rows = qa.documents(people, np.ones(50, int), np.zeros(50, int))
    for person in people:
        text = corpus.vocabulary.decode(
            rows.tokens[rows.starts[person] + 1 : rows.starts[person + 1]]
        )
        facts = corpus.facts(person)
        assert text == f"What is the birth city of {facts['name']}? Answer: {facts['birth_city']}"


def test_training_on_the_majority_holds_out_the_minority():
    corpus = world(n_minority=10, minority_augmentation=AugmentationConfig(n_paraphrases=1))
    qa = QuestionsConfig(train_on=TrainOn.majority).follow(corpus, 0)
    assert qa.is_trained.tolist() == [True] * 40 + [False] * 10
    assert qa.n_documents == 40 * 6
    texts = corpus.vocabulary.decode(qa.epoch(0, 0, 240).tokens)
    assert all((corpus.facts(i)["name"] in texts) == (i < 40) for i in range(50))
    with pytest.raises(ValueError, match="train_on=majority, but the world has no minority"):
        QuestionsConfig(train_on=TrainOn.majority).follow(world(), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_fraction": 1.0}, "below 1 to hold people out"),
        ({"train_fraction": 0.0}, "above 0"),
        ({"n_paraphrases": 25}, "must be at most 24"),
        ({"n_paraphrases": 0}, "n_paraphrases=0"),
    ],
)
def test_bad_values_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        QuestionsConfig(**changes)


def test_worlds_without_people_or_words_for_questions_are_refused():
    with pytest.raises(ValueError, match="asks about the people of a run; name it by init_from"):
        QuestionsConfig().build(0)
    with pytest.raises(ValueError, match="people of data=bios or bior; start from such a run"):
        QuestionsConfig().follow(tiny_biod_config().build(0), 0)
    with pytest.raises(
        ValueError,
        match=r"not in the vocabulary .*; pretrain with data.include_question_vocabulary",
    ):
        QuestionsConfig().follow(world(include_question_vocabulary=False), 0)
    with pytest.raises(ValueError, match="train_fraction=0.5 of 1 people leaves none to train on"):
        QuestionsConfig().follow(world(n_people=1), 0)


def test_fingerprints_of_different_worlds_and_questions_differ(people):
    corpora = [
        QuestionsConfig().follow(people, 0),
        QuestionsConfig().follow(people, 1),
        QuestionsConfig(train_fraction=0.4).follow(people, 0),
        QuestionsConfig(n_paraphrases=2).follow(people, 0),
        QuestionsConfig().follow(world(n_people=41), 0),
    ]
    assert len({corpus.fingerprint() for corpus in corpora}) == 5
    assert corpora[0].fingerprint() == QuestionsConfig(exposures=3).follow(people, 0).fingerprint()
