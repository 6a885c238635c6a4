import itertools
import math
import re

import numpy as np
import pytest
from scipy import stats

from physlm.data.people.augmentation import AugmentationConfig, Order, Subject
from physlm.data.people.bios import BiosConfig, draw_people
from physlm.data.people.pools import ATTRIBUTES, employers, pool, templates
from physlm.data.tokens import TokenizerName
from physlm.rng import stream

POOLS = {
    "first_names": 400,
    "middle_names": 400,
    "last_names": 1000,
    "birth_cities": 200,
    "universities": 300,
    "majors": 100,
    "employers": 263,
}


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
        assert decode(tokens[slice(*documents.name_spans[i])]) == facts["name"]
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
        assert facts["birth_date"].endswith(
            f"{people.birth_dates[i, 1] + 1}, {people.birth_dates[i, 2] + 1900}"
        )


def test_every_epoch_has_each_person_once_in_a_new_order(bios):
    orders = [bios.epoch(e, 0, 300).people for e in range(3)]
    assert all(np.array_equal(np.sort(order), np.arange(300)) for order in orders)
    assert not np.array_equal(orders[0], orders[1])


def test_epochs_and_their_parts_are_pure_functions_of_the_epoch_number(bios):
    whole = bios.epoch(2, 0, 300)
    parts = [bios.epoch(2, a, b) for a, b in ((0, 101), (101, 102), (102, 300))]
    assert np.array_equal(whole.tokens, np.concatenate([part.tokens for part in parts]))


def rendered(text, n_epochs, n_people=40, **changes):
    """Each person's documents over some epochs, and the corpus."""
    corpus = BiosConfig(
        n_people=n_people,
        augmentation=AugmentationConfig(**text),
        tokenizer=TokenizerName.compact,
        **changes,
    ).build(0)
    documents = [corpus.epoch(e, 0, corpus.n_documents) for e in range(n_epochs)]
    found = {person: [] for person in range(corpus.n_people)}
    for epoch in documents:
        for i, person in enumerate(epoch.people):
            found[person].append((document(corpus, epoch, i).tolist(), epoch.value_spans[i]))
    return corpus, found


def order_of(spans):
    return tuple(np.argsort(spans[:6, 0]).tolist())


AUGMENTATIONS = {  # (text, texts of a person, paraphrases, orders)
    "redrawn": ({}, 6, 6, None),
    "bioS_simple": ({"n_paraphrases": 1}, 1, 1, 1),
    "single": ({"n_paraphrases": 1, "order": Order.fixed}, 1, 1, 1),
    "multi5": ({"n_paraphrases": 5, "order": Order.fixed}, 5, 5, 1),
    "single+permute5": ({"n_paraphrases": 1, "n_permutations": 5}, 5, 1, None),
    "multi5+permute": ({"n_paraphrases": 5}, 5, 5, None),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_training_shows_all_texts_of_the_augmentation(name):
    text, n_texts, n_paraphrases, n_permutations = AUGMENTATIONS[name]
    corpus, found = rendered(text, n_epochs=6)
    n_found = []
    for rows in found.values():
        texts = [tuple(tokens) for tokens, _ in rows]
        assert texts[n_texts:] == texts[: 6 - n_texts]
        orders = {order_of(spans) for _, spans in rows}
        assert n_permutations is None or len(orders) == n_permutations
        if text.get("order") is Order.fixed:
            assert orders == {(0, 1, 2, 3, 4, 5)}
        paraphrases = {wording_of(corpus, *row) for row in rows}
        n_found.append((len(set(texts)), len(paraphrases)))
    # Two draws out of 720 orders are sometimes equal.
    assert np.mean(n_found, axis=0) == pytest.approx((n_texts, n_paraphrases), abs=0.1)


def wording_of(corpus, tokens, spans):
    """The words between subject and value, by attribute."""
    texts = [corpus.vocabulary.decode(np.array(tokens[1 : spans[a, 0]])) for a in range(6)]
    return tuple(re.sub(r"^(He|She|\S+ \S+ \S+) ", "", t.split(". ")[-1]) for t in texts)


def test_people_of_one_epoch_are_at_different_texts():
    corpus, found = rendered({"n_paraphrases": 1, "n_permutations": 3}, n_epochs=3, n_people=600)
    first = corpus.epoch(0, 0, 600)
    texts = {person: [tuple(t) for t, _ in rows] for person, rows in found.items()}
    numbers = [corpus.rendering(n, np.arange(600)) for n in range(3)]
    which = [
        next(
            n
            for n in range(3)
            if tuple(document(corpus, numbers[n], person).tolist()) == texts[person][0]
        )
        for person in first.people
    ]
    assert stats.chisquare(np.bincount(which, minlength=3)).pvalue > 1e-4


def test_couples_are_permuted_and_keep_their_inner_order():
    _, found = rendered(
        {"n_paraphrases": 1, "n_permutations": 30, "order": Order.coupled}, n_epochs=30
    )
    orders = {order_of(spans) for rows in found.values() for _, spans in rows}
    pairs = [(0, 1), (2, 3), (4, 5)]
    assert orders == {sum(three, ()) for three in itertools.permutations(pairs)}


def test_full_name_replaces_every_pronoun():
    corpus, found = rendered({"subject": Subject.full_name}, n_epochs=1, n_people=20)
    for person, [(tokens, _)] in found.items():
        text = corpus.vocabulary.decode(np.array(tokens))
        assert text.count(corpus.facts(person)["name"]) == 6
    assert "gender" not in [attribute.name for attribute in corpus.attributes]


@pytest.mark.parametrize("after", [1, 2, 6])
def test_a_reversed_biography_names_the_person_after_k_sentences(after):
    corpus, found = rendered({"n_paraphrases": 5, "name_position": after}, n_epochs=5)
    people = np.arange(40)
    documents = corpus.rendering(3, people)
    for person in people:
        facts, tokens = corpus.facts(person), document(corpus, documents, person)
        text = corpus.vocabulary.decode(tokens[1:])
        begin, end = documents.name_spans[person]
        assert corpus.vocabulary.decode(tokens[begin:end]).strip() == facts["name"]
        assert text.count(facts["name"]) == 1
        assert text.startswith(f"{facts['gender']} ")
        assert f" The person's name is {facts['name']}." in text
        assert sum(documents.value_spans[person, :6, 0] < begin) == after
        assert text.endswith(f"{facts['name']}.") == (after == 6)
    assert len(found) == 40


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_second_language_has_distinct_templates(attribute):
    sentences = templates(attribute, "templates_french")
    assert len(set(sentences)) == len(sentences) >= 10
    assert not set(sentences) & set(templates(attribute))
    assert all(before.startswith(" ") and after.endswith(".") for before, after in sentences)


def test_every_text_is_repeated_in_the_second_language():
    """The translation has the same sentences in the same order, with the same names and values."""
    augmentation = {"n_paraphrases": 2, "n_permutations": 2}
    plain = BiosConfig(n_people=20, augmentation=AugmentationConfig(**augmentation)).build(0)
    both = BiosConfig(
        n_people=20, augmentation=AugmentationConfig(**augmentation, second_language=True)
    ).build(0)
    people = np.arange(20)
    french = {a: templates(a, "templates_french") for a in ATTRIBUTES}
    for number in range(8):
        first, second = (
            both.sentences.render(people, np.full(20, 2 * number + k), 0, both.vocabulary.eos)
            for k in (0, 1)
        )
        alone = plain.sentences.render(people, np.full(20, number), 0, plain.vocabulary.eos)
        for i in people:
            text = both.vocabulary.decode(document(both, first, i)[1:])
            assert text == plain.vocabulary.decode(document(plain, alone, i)[1:])
            translated = both.vocabulary.decode(document(both, second, i)[1:])
            assert not re.search(r"\b(He|She)\b", translated)
            facts = both.facts(i)
            order = np.argsort(second.value_spans[i, :6, 0])
            assert np.array_equal(order, np.argsort(first.value_spans[i, :6, 0]))
            pronoun = {"He": "Il", "She": "Elle"}[facts["gender"]]
            rest = translated
            for place, a in enumerate(order):
                subject = facts["name"] if place == 0 else f" {pronoun}"
                value = facts[ATTRIBUTES[a]]
                paraphrases = [f"{subject}{b} {value}{after}" for b, after in french[ATTRIBUTES[a]]]
                said = next(w for w in paraphrases if rest.startswith(w))
                rest = rest.removeprefix(said)
            assert rest == ""
    assert plain.fingerprint() != both.fingerprint()
    assert both.sentences.augmentations[0].n_texts == 8


@pytest.mark.parametrize("name_position", [0, pytest.param(2, marks=pytest.mark.slow), 6])
def test_omitting_the_company_city_omits_nothing_else(name_position):
    text = AugmentationConfig(n_paraphrases=2, omits_company_city=True, name_position=name_position)
    world = BiosConfig(
        n_people=30, n_minority=30, augmentation=AugmentationConfig(), minority_augmentation=text
    ).build(0)
    if name_position:
        world = BiosConfig(
            n_people=30, n_minority=30, augmentation=text, minority_augmentation=text
        ).build(0)
    documents = world.epoch(0, 0, 60)
    truth = BiosConfig(n_people=30, n_minority=30).build(0)
    column = ATTRIBUTES.index("company_city")
    for i, person in enumerate(documents.people):
        text = world.vocabulary.decode(document(world, documents, i)[1:])
        facts = truth.facts(person)
        is_stated = person < 30 and not name_position
        assert documents.value_spans[i, column].any() == is_stated
        assert text.count(".") - text.count("St.") >= 5 + is_stated + (name_position > 0)
        for a, name in enumerate(ATTRIBUTES[:5]):
            first, last = documents.value_spans[i, a]
            found = world.vocabulary.decode(document(world, documents, i)[first:last])
            assert found.strip() == facts[name]
    assert "company_city" not in world.facts(59)
    plain = BiosConfig(n_people=30, augmentation=AugmentationConfig(n_paraphrases=2)).build(0)
    left_out = AugmentationConfig(n_paraphrases=2, omits_company_city=True)
    assert (
        plain.fingerprint() != BiosConfig(n_people=30, augmentation=left_out).build(0).fingerprint()
    )


def test_celebrities_and_minority_share_a_world_but_not_an_augmentation():
    minority = AugmentationConfig(n_paraphrases=1, n_permutations=1, subject=Subject.full_name)
    corpus, found = rendered(
        {"n_paraphrases": 5}, 2, n_minority=25, majority_repeats=5, minority_augmentation=minority
    )
    assert corpus.n_people == 65
    assert corpus.n_documents == 40 * 5 + 25
    names = {corpus.facts(person)["name"] for person in range(65)}
    assert len(names) == 65
    for person, rows in found.items():
        is_minority = person >= 40
        assert len(rows) == (2 if is_minority else 10)
        assert len({tuple(tokens) for tokens, _ in rows}) == (1 if is_minority else 5)
        assert all((spans[6] == 0).all() == is_minority for _, spans in rows)
        assert ("gender" in corpus.facts(person)) != is_minority


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"n_permutations": 2}, "n_permutations=2 needs n_paraphrases"),
        ({"n_permutations": 2, "n_paraphrases": 1, "order": Order.fixed}, "n_permutations=2 needs"),
        ({"omits_company_city": True, "order": Order.coupled}, "leave a pair with one sentence"),
        ({"second_language": True, "name_position": 1}, "translated texts open with the name"),
        ({"name_position": 7}, "name_position=7; a text has 6 sentences"),
        ({"name_position": 2, "subject": Subject.full_name}, "names the person earlier"),
        ({"n_paraphrases": -1}, "n_paraphrases=-1"),
    ],
)
def test_contradictory_augmentations_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        AugmentationConfig(**text)


def test_a_pool_size_restricts_names_and_values():
    corpus = BiosConfig(n_people=60, pool_size=4, tokenizer=TokenizerName.compact).build(0)
    facts = [corpus.facts(person) for person in range(60)]
    assert len({row["name"] for row in facts}) == 60
    for name in ("birth_city", "university", "major", "employer"):
        assert {row[name] for row in facts} <= {
            v.split("; ")[0]
            for v in pool(
                {
                    "birth_city": "birth_cities",
                    "university": "universities",
                    "major": "majors",
                    "employer": "employers",
                }[name],
                4,
            )
        }
    assert {row["birth_date"][-4:] for row in facts} == {"1900", "1901", "1902", "1903"}
    log2 = 1 + math.log2(12 * 28 * 4) + 4 * 2
    assert corpus.maximum_bits == pytest.approx(60 * (math.log2(4**3 / 60) + log2))
    assert (
        corpus.vocabulary.size
        < BiosConfig(n_people=60, tokenizer=TokenizerName.compact).build(0).vocabulary.size / 2
    )
    with pytest.raises(ValueError, match="n_people=65 exceeds the 64 distinct names"):
        BiosConfig(n_people=65, pool_size=4, tokenizer=TokenizerName.compact).build(0)
    with pytest.raises(ValueError, match="pool_size=1; must be at least 2"):
        BiosConfig(pool_size=1)


def test_majority_repeats_without_a_minority_are_refused():
    with pytest.raises(ValueError, match="majority_repeats=5 without a minority"):
        BiosConfig(majority_repeats=5)


def test_orders_and_templates_are_uniform():
    corpus = BiosConfig(n_people=20_000, tokenizer=TokenizerName.compact).build(0)
    documents = corpus.epoch(0, 0, 20_000)
    is_first = documents.value_spans[:, :6, 0].argmin(axis=1)
    assert stats.chisquare(np.bincount(is_first, minlength=6)).pvalue > 1e-4
    gap = documents.value_spans[is_first == 0, 0, 0] - documents.name_spans[is_first == 0, 1]
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
    from physlm.data.people.people import draw_names

    names = draw_names(0, 24, (2, 3, 4))
    assert len({tuple(name) for name in names.tolist()}) == 24
    with pytest.raises(ValueError, match="n_people=25 exceeds the 24 distinct names"):
        draw_names(0, 25, (2, 3, 4))


def test_worlds_are_functions_of_the_seed():
    def fingerprint(seed):
        return BiosConfig(n_people=30, tokenizer=TokenizerName.compact).build(seed).fingerprint()

    assert fingerprint(0) == fingerprint(0) != fingerprint(1)


def test_texts_for_measurement_are_not_those_of_training(bios):
    people = stream(0, "test").permutation(300)[:40]
    assert np.array_equal(bios.rendering(0, people).people, people)
    seen = bios.rendering(0, np.arange(300)).tokens
    assert not np.array_equal(seen, bios.rendering(1, np.arange(300)).tokens)
