import math

import numpy as np
import pytest
from scipy import stats

from physlm.data.bio.bios import ATTRIBUTES, BiosConfig, Subject, Text, draw_people
from physlm.data.bio.pools import employers, pool, templates
from physlm.data.tokens import TokenizerName
from physlm.rng import stream

POOLS = {"first_names": 400, "middle_names": 400, "last_names": 1000, "birth_cities": 200,
         "universities": 300, "majors": 100, "employers": 263}  # fmt: skip


def document(corpus, documents, i):
    return documents.tokens[documents.starts[i] : documents.starts[i + 1]]


@pytest.mark.parametrize(("name", "size"), POOLS.items())
def test_pools_have_the_published_sizes_and_no_duplicates(name, size):
    assert len(pool(name)) == len(set(pool(name))) == size


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_attribute_has_at_least_45_sentences_that_begin_with_the_subject(attribute):
    sentences = set(templates(attribute))
    assert len(sentences) >= 45
    assert all(before.startswith(" ") and after.endswith(".") for before, after in sentences)


def test_company_city_is_a_function_of_the_employer():
    assert len(dict(employers())) == 263
    assert sum(city == "New York, NY" for _, city in employers()) == 36


def test_assembled_documents_are_the_tokenised_text(bios):
    documents = bios.epoch(0, 0, 300)
    for i in range(len(documents)):
        tokens = document(bios, documents, i)
        assert tokens[0] == bios.vocabulary.eos
        text = bios.vocabulary.decode(tokens[1:])
        assert np.array_equal(bios.vocabulary.encode(text), tokens[1:])


def test_spans_hold_the_facts_of_the_person(bios):
    documents = bios.epoch(1, 0, 300)
    names = [attribute.name for attribute in bios.attributes]
    for i, person in enumerate(documents.people):
        tokens, facts = document(bios, documents, i), bios.facts(person)
        decode = bios.vocabulary.decode
        spans = documents.value_spans[i]
        assert decode(tokens[1 : documents.name_ends[i]]) == facts["name"]
        found = {n: decode(tokens[a:b]).strip() for n, (a, b) in zip(names, spans, strict=True)}
        assert found == {name: facts[name] for name in names}


def test_facts_are_the_drawn_people(bios):
    people = draw_people(BiosConfig(n_people=300), seed=7)
    for i in (0, 17, 299):
        facts = bios.facts(i)
        first, middle, last = people.names[i]
        full = (pool("first_names")[first], pool("middle_names")[middle], pool("last_names")[last])
        assert facts["name"] == " ".join(full)
        company, city = employers()[people.choices[i, 3]]
        assert (facts["employer"], facts["company_city"]) == (company, city)
        assert facts["birth_date"].endswith(f"{people.birth_dates[i, 1] + 1}, "
                                            f"{people.birth_dates[i, 2] + 1900}")  # fmt: skip


def test_every_epoch_tells_of_everyone_once_in_another_order(bios):
    orders = [bios.epoch(e, 0, 300).people for e in range(3)]
    assert all(np.array_equal(np.sort(order), np.arange(300)) for order in orders)
    assert not np.array_equal(orders[0], orders[1])


def test_an_epoch_is_a_pure_function_of_its_number_and_any_part_of_it_too(bios):
    whole = bios.epoch(2, 0, 300)
    parts = [bios.epoch(2, a, b) for a, b in ((0, 101), (101, 102), (102, 300))]
    assert np.array_equal(whole.tokens, np.concatenate([part.tokens for part in parts]))


def test_texts_are_redrawn_at_every_exposure_unless_fixed():
    def texts(config):
        corpus = config.build(0)
        rendered = []
        for epoch in range(2):
            documents = corpus.epoch(epoch, 0, 50)
            order = np.argsort(documents.people)
            rendered.append([document(corpus, documents, i).tolist() for i in order])
        return rendered

    first, second = texts(BiosConfig(n_people=50))
    assert sum(a == b for a, b in zip(first, second, strict=True)) == 0
    first, second = texts(BiosConfig(n_people=50, text=Text.fixed))
    assert first == second


def test_full_name_replaces_every_pronoun():
    corpus = BiosConfig(n_people=20, subject=Subject.full_name).build(0)
    documents = corpus.epoch(0, 0, 20)
    for i, person in enumerate(documents.people):
        text = corpus.vocabulary.decode(document(corpus, documents, i))
        assert text.count(corpus.facts(person)["name"]) == 6
    assert "gender" not in [attribute.name for attribute in corpus.attributes]


def test_orders_and_templates_are_uniform():
    corpus = BiosConfig(n_people=20_000, tokenizer=TokenizerName.compact).build(0)
    documents = corpus.epoch(0, 0, 20_000)
    is_first = documents.value_spans[:, :6, 0].argmin(axis=1)
    assert stats.chisquare(np.bincount(is_first, minlength=6)).pvalue > 1e-4
    gap = documents.value_spans[is_first == 0, 0, 0] - documents.name_ends[is_first == 0]
    lengths = [len(corpus.vocabulary.encode(before)) for before, _ in templates("birth_date")]
    expected = np.bincount(lengths) / len(lengths) * len(gap)
    seen = np.bincount(gap, minlength=len(expected))
    assert stats.chisquare(seen[expected > 0], expected[expected > 0]).pvalue > 1e-4


def test_values_are_uniform_over_their_pools():
    people = draw_people(BiosConfig(n_people=40_000), seed=1)
    for column, size in enumerate((200, 300, 100, 263)):
        counts = np.bincount(people.choices[:, column], minlength=size)
        assert stats.chisquare(counts).pvalue > 1e-4


def test_maximum_bits_and_entropy_are_the_closed_forms():
    corpus = BiosConfig(n_people=1000).build(0)
    log2_s0 = math.log2(2 * (12 * 28 * 200) * 200 * 300 * 100 * 263)
    assert log2_s0 == pytest.approx(47.6, abs=0.05)  # the paper's figure
    assert corpus.maximum_bits == pytest.approx(1000 * (math.log2(1.6e8 / 1000) + log2_s0))
    exact = math.log2(math.comb(160_000_000, 1000)) + 1000 * log2_s0
    assert corpus.entropy_bits == pytest.approx(exact, rel=1e-9)


def test_names_are_distinct_even_when_every_name_is_taken():
    from physlm.data.bio.knowledge import draw_names

    names = draw_names(0, 24, (2, 3, 4))
    assert len({tuple(name) for name in names.tolist()}) == 24
    with pytest.raises(ValueError, match="n_people=25 exceeds the 24 distinct names"):
        draw_names(0, 25, (2, 3, 4))


def test_worlds_differ_by_seed_and_agree_with_themselves():
    def fingerprint(seed):
        return BiosConfig(n_people=30, tokenizer=TokenizerName.compact).build(seed).fingerprint()

    assert fingerprint(0) == fingerprint(0) != fingerprint(1)


def test_measurement_renderings_are_not_those_of_training(bios):
    people = stream(0, "test").permutation(300)[:40]
    assert np.array_equal(bios.rendering(0, people).people, people)
    seen = bios.rendering(0, np.arange(300)).tokens
    assert not np.array_equal(seen, bios.rendering(1, np.arange(300)).tokens)
