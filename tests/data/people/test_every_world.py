"""Properties of every world of people and of mixtures, for any configuration."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.data.packing import pack
from physlm.data.people.augmentation import AugmentationConfig, Order
from physlm.data.people.bior import BiorConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.junk import JunkConfig
from physlm.data.people.mixed import MixedConfig
from physlm.data.people.pools import ATTRIBUTES, MONTHS, questions
from physlm.data.people.questions import N_PARAPHRASES, QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.tokens import TokenizerName
from physlm.data.windows import Position
from tests.conftest import tiny_biod_config

PRONOUNS = {"Elle": "She", "Il": "He"}  # a person's gender, in French texts

SEEDS = st.integers(0, 2**31)
few_examples = settings(max_examples=15)

biod_configs = st.builds(
    tiny_biod_config,
    n_people=st.integers(1, 36),
    n_attributes=st.integers(1, 4),
    diversity=st.integers(1, 6),
    chunk_length=st.integers(1, 3),
    attribute_order=st.sampled_from([Order.fixed, Order.random]),
    name_sizes=st.just([6, 6, 6]),
)
bios_configs = st.builds(
    BiosConfig,
    n_people=st.integers(10, 40),
    pool_size=st.just(20),
    tokenizer=st.just(TokenizerName.compact),
    augmentation=st.builds(
        AugmentationConfig,
        n_paraphrases=st.integers(1, 3),
        n_permutations=st.integers(1, 2),
        name_position=st.integers(0, 6),
    )
    | st.builds(AugmentationConfig, n_paraphrases=st.integers(0, 3), second_language=st.just(True)),
    include_question_vocabulary=st.just(True),
)
bior_configs = st.builds(
    BiorConfig,
    n_people=st.integers(1, 20),
    n_texts=st.integers(1, 3),
    tokenizer=st.just(TokenizerName.compact),
)


def rows_of(corpus, epoch=0):
    documents = corpus.epoch(epoch, 0, corpus.n_documents)
    return [documents.tokens[a:b] for a, b in itertools.pairwise(documents.starts)]


def texts_of(corpus, epoch=0):
    return [corpus.vocabulary.decode(row[1:]).strip() for row in rows_of(corpus, epoch)]


def require_purity(corpus, again, epoch, cut):
    """Parts of an epoch match the whole, also in a corpus that is built again."""
    whole = np.concatenate(rows_of(corpus, epoch))
    parts = [(0, cut), (cut, corpus.n_documents)]
    tokens = [again.epoch(epoch, first, last).tokens for first, last in parts if first < last]
    assert np.array_equal(np.concatenate(tokens), whole)


@few_examples
@given(st.one_of(biod_configs, bios_configs, bior_configs), SEEDS, st.integers(0, 5), st.data())
def test_an_epoch_has_each_person_once_and_is_a_function_of_its_number(config, seed, epoch, data):
    world = config.build(seed)
    people = world.epoch(epoch, 0, world.n_documents).people
    assert sorted(people.tolist()) == list(range(config.n_people))
    require_purity(world, config.build(seed), epoch, data.draw(st.integers(0, world.n_documents)))


@few_examples
@given(st.one_of(biod_configs, bios_configs, bior_configs), SEEDS, st.integers(0, 5))
def test_every_span_spells_the_persons_own_value(config, seed, epoch):
    world = config.build(seed)
    documents = world.epoch(epoch, 0, world.n_documents)
    for i, (person, row) in enumerate(zip(documents.people, rows_of(world, epoch), strict=True)):
        facts = world.facts(person)
        said = world.vocabulary.decode(row[slice(*documents.name_spans[i])]).strip()
        assert said == facts["name"]
        for attribute, (first, last) in zip(
            world.attributes, documents.value_spans[i], strict=True
        ):
            said = world.vocabulary.decode(row[first:last]).strip()
            assert PRONOUNS.get(said, said) == facts[attribute.name]


@few_examples
@given(bios_configs, SEEDS, st.integers(1, N_PARAPHRASES), st.floats(0.2, 0.8), st.integers(0, 5))
def test_an_epoch_asks_once_for_every_fact_of_training_people(config, seed, n, fraction, epoch):
    world = config.build(seed)
    corpus = QuestionsConfig(train_fraction=fraction, n_paraphrases=n).follow(world, seed)
    expected = {}
    for person in np.flatnonzero(corpus.is_trained):
        facts = world.facts(person)
        for attribute in ATTRIBUTES:
            for before, after in questions(attribute)[:n]:
                text = f"{before} {facts['name']}{after} Answer: {facts[attribute]}"
                expected[text] = (person, attribute)
    found = [expected[text] for text in texts_of(corpus, epoch)]
    assert sorted(found) == sorted(set(expected.values()))


@few_examples
@given(bios_configs, SEEDS, st.floats(0.2, 0.8), st.integers(0, 5))
def test_a_computed_answer_is_true_of_a_training_person_asked_once(config, seed, fraction, epoch):
    world = config.build(seed)
    corpus = ManipulationConfig(
        tasks=["birth_month_mod_12"], train_fraction=fraction, hint_fraction=0.5
    ).follow(world, seed)
    names = {world.facts(i)["name"]: i for i in range(config.n_people)}
    found = []
    for text in texts_of(corpus, epoch):
        person = next(i for name, i in names.items() if name in text)
        month = world.facts(person)["birth_date"].split()[0]
        assert int(re.search(r"Answer: (\d+)$", text)[1]) == (MONTHS.index(month) + 1) % 12
        found.append(person)
    assert sorted(found) == sorted(corpus.train.tolist())
    assert sorted([*corpus.train, *corpus.test]) == list(range(config.n_people))


junk_configs = st.builds(
    JunkConfig,
    target=st.one_of(biod_configs, bios_configs).map(
        lambda target: replace(target, exposures=2, seq_len=128)
    ),
    n_junk_people=st.integers(1, 50),
    junk_fraction=st.floats(0.1, 0.9),
    mixes_in_windows=st.booleans(),
    exposures=st.just(2),
    seq_len=st.just(128),
)
mixed_configs = st.builds(
    MixedConfig,
    biographies=bios_configs,
    question_fraction=st.floats(0.1, 0.9),
    exposures=st.just(2),
    seq_len=st.just(128),
)


@pytest.mark.slow
@few_examples
@given(st.one_of(junk_configs, mixed_configs), st.integers(0, 1000), st.data())
def test_a_mixture_keeps_its_shares_and_resumes_from_any_window(config, seed, data):
    corpus = config.build(seed)
    tokens, ends = packed(corpus, 128)
    n_of_each = ends[:, -2:]
    if not corpus.is_in_windows:
        expected = corpus.shares[1] * np.arange(1, len(tokens) + 1)
        assert np.abs(n_of_each[:, 1] - expected).max() <= 1
        is_first = np.diff(n_of_each[:, 0], prepend=0) > 0
        assert np.array_equal(tokens[is_first], packed(corpus.parts[0], 128)[0])
    i = data.draw(st.integers(0, len(ends) - 1))
    rest = packed(corpus, 128, Position.of(ends[i].tolist()))
    assert np.array_equal(rest[0], tokens[i + 1 :])
    assert np.array_equal(rest[1], ends[i + 1 :])


def packed(corpus, seq_len, start=Position()):  # noqa: B008
    blocks = list(pack(corpus, seq_len, start))
    n_numbers = len(blocks[0].ends[0]) if blocks else len(start.numbers)
    return (
        np.concatenate([np.empty((0, seq_len + 1), np.int32), *(b.tokens for b in blocks)]),
        np.concatenate([np.empty((0, n_numbers), np.int64), *(b.ends for b in blocks)]),
    )


@few_examples
@given(junk_configs, st.integers(0, 1000))
def test_names_of_junk_people_are_distinct_and_not_in_the_world(config, seed):
    _, junk_people = config.build(seed).parts
    numbers = np.arange(config.n_junk_people)
    names = {tuple(name) for name in junk_people.population(numbers).names.tolist()}
    assert len(names) == config.n_junk_people
    assert names.isdisjoint({tuple(name) for name in config.target.drawn(seed).names.tolist()})
