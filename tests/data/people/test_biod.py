import math

import numpy as np
import pytest
from scipy import stats

from physlm.data.people.augmentation import Order
from physlm.data.people.biod import BiodConfig, syllables, values_of
from physlm.data.tokens import TokenizerName
from tests.conftest import tiny_biod_config


def test_each_chunk_comes_uniformly_from_a_diversity_set_of_exactly_d_strings():
    config = BiodConfig(
        n_people=4000,
        n_attributes=2,
        n_chunks=3,
        diversity=5,
        chunk_length=2,
        alphabet_size=7,
        name_sizes=[100, 100],
    )
    values = values_of(config, 3, config.drawn(3).facts)
    assert values.shape == (4000, 2, 6)
    sets = []
    for attribute in range(2):
        chunks = values[:, attribute].reshape(-1, 2)
        strings, counts = np.unique(chunks, axis=0, return_counts=True)
        assert len(strings) == 5
        assert stats.chisquare(counts).pvalue > 1e-4
        sets.append({tuple(s) for s in strings.tolist()})
    assert sets[0] != sets[1]


def test_large_string_spaces_are_drawn_without_enumerating_them():
    config = BiodConfig(n_people=50, diversity=40, chunk_length=20, alphabet_size=30)
    values = values_of(config, 0, config.drawn(0).facts)
    assert values.max() < 30
    assert config.build(0).diversity.n_possible == 30.0**20


def test_maximum_bits_and_entropy_are_the_closed_forms():
    config = tiny_biod_config(n_chunks=2)
    corpus = config.build(0)
    n, k, c, d, possible, n0 = 24, 3, 2, 8, 36, 36
    published = n * math.log2(n0 / n) + n * k * c * math.log2(d) + k * d * math.log2(possible / d)
    assert corpus.maximum_bits == pytest.approx(published)
    exact = (
        math.log2(math.comb(n0, n))
        + n * k * c * math.log2(d)
        + k * math.log2(math.comb(possible, d))
    )
    assert corpus.entropy_bits == pytest.approx(exact)


@pytest.mark.parametrize("tokenizer", TokenizerName)
def test_documents_state_the_name_and_every_attribute(tokenizer):
    corpus = BiodConfig(
        n_people=30,
        n_attributes=4,
        name_sizes=[5, 5, 5],
        tokenizer=tokenizer,
        attribute_order=Order.random,
    ).build(1)
    documents = corpus.epoch(0, 0, 30)
    decode = corpus.vocabulary.decode
    for i, person in enumerate(documents.people):
        tokens = documents.tokens[documents.starts[i] : documents.starts[i + 1]]
        facts = corpus.facts(person)
        assert decode(tokens[slice(*documents.name_spans[i])]).strip() == facts["name"]
        for a, attribute in enumerate(corpus.attributes):
            begin, end = documents.value_spans[i, a]
            assert decode(tokens[begin:end]).strip() == facts[attribute.name]
            assert str(a + 1) in decode(tokens[begin - 3 : begin])
        text = decode(tokens[1:])
        assert np.array_equal(corpus.vocabulary.encode(text), tokens[1:])
        if tokenizer is TokenizerName.gpt2:
            assert text.startswith(f"{facts['name']}'s ID ")
            assert text.count(" Her ID ") == 3


def test_compact_vocabulary_is_the_shared_alphabet_the_markers_and_end_of_text(biod):
    assert biod.vocabulary.size == 6 + 3 + 1
    assert len(biod.epoch(0, 0, 1).tokens) == 1 + 2 + 3 * 3


def test_fixed_order_keeps_attributes_in_place_and_random_order_does_not():
    def orders(order):
        corpus = tiny_biod_config(attribute_order=order).build(0)
        return np.argsort(corpus.epoch(0, 0, 24).value_spans[:, :, 0], axis=1)

    assert np.array_equal(np.unique(orders(Order.fixed), axis=0), [[0, 1, 2]])
    assert len(np.unique(orders(Order.random), axis=0)) == 6


def test_symbols_have_distinct_words():
    assert len({syllables(i) for i in range(50_000)}) == 50_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_people": 0}, "n_people=0"),
        ({"diversity": 37}, "diversity=37 exceeds the 36 strings"),
        ({"name_sizes": []}, "name_sizes"),
        ({"exposures": -1}, "exposures=-1"),
    ],
)
def test_values_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        tiny_biod_config(**change)


def test_too_large_an_alphabet_for_gpt2_is_refused():
    config = BiodConfig(alphabet_size=60_000, tokenizer=TokenizerName.gpt2)
    with pytest.raises(ValueError, match="alphabet_size=60000"):
        config.build(0)
