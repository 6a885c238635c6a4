"""Target people among junk: exact fractions and exposures, distinct names, domain tokens."""

import itertools
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from physlm.data.mixture import Mixture
from physlm.data.packing import n_tokens, pack
from physlm.data.people.augmentation import AugmentationConfig
from physlm.data.people.biod import BiodConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.junk import JunkConfig
from physlm.data.people.junk_people import JunkKind, JunkPeople
from physlm.data.tokens import TokenizerName
from physlm.data.windows import IGNORED, Position
from tests.conftest import tiny_biod_config

BIOD = tiny_biod_config(name_sizes=[6, 6, 6])
BIOS = BiosConfig(n_people=40, tokenizer=TokenizerName.compact, pool_size=20)


def junk(target=BIOD, n_junk_people=100, exposures=4, seq_len=16, **changes):
    target = replace(target, exposures=exposures, seq_len=seq_len)
    return JunkConfig(
        target=target, n_junk_people=n_junk_people, exposures=exposures, seq_len=seq_len, **changes
    )


def windows(corpus, seq_len=16, start=Position()):  # noqa: B008
    blocks = list(pack(corpus, seq_len, start))
    return (
        np.concatenate([block.tokens for block in blocks]),
        np.concatenate([block.ends for block in blocks]),
    )


def texts(corpus, documents):
    decode, starts = corpus.vocabulary.decode, documents.starts
    return [decode(documents.tokens[a:b]) for a, b in itertools.pairwise(starts)]


@pytest.mark.parametrize("target", [BIOD, BIOS], ids=["biod", "bios"])
def test_junk_people_have_distinct_names_that_no_target_person_has(target):
    world, junk_people = junk(target).build(3).parts
    drawn = junk_people.population(np.arange(100)).names.tolist()
    names = {tuple(name) for name in drawn}
    assert len(names) == 100
    assert names.isdisjoint({tuple(name) for name in target.drawn(3).names.tolist()})
    assert np.all(np.array(drawn) < np.array(target.name_choices))
    assert set(world.name_parts()).isdisjoint(
        {tuple(t.strip() for t in name) for name in names_of(junk_people)}
    )


def names_of(junk_people):
    documents = junk_people.epoch(0, 0, junk_people.n_people)
    for i in range(len(documents)):
        first, last = documents.starts[i] + documents.name_spans[i]
        yield junk_people.vocabulary.decode(documents.tokens[first:last]).split()


def test_junk_people_can_have_every_free_name():
    n_free = 6**3 - 24
    junk_people = junk(n_junk_people=n_free).build(0).parts[1]
    names = {tuple(name) for name in junk_people.population(np.arange(n_free)).names.tolist()}
    assert len(names | {tuple(name) for name in BIOD.drawn(0).names.tolist()}) == 6**3


def test_more_junk_people_than_free_names_are_refused():
    with pytest.raises(ValueError, match="n_junk_people=193 exceeds the 192 names"):
        junk(n_junk_people=193).build(0)


@pytest.mark.parametrize("target", [BIOD, BIOS], ids=["biod", "bios"])
def test_each_round_has_every_junk_person_once_and_parts_of_an_epoch_match_the_whole(target):
    junk_people = junk(target).build(0).parts[1]
    assert junk_people.n_documents == 4100  # enough rounds for 4096 documents
    whole = junk_people.epoch(2, 0, 4100)
    rounds = whole.people.reshape(41, 100)
    assert (np.sort(rounds, axis=1) == np.arange(100)).all()
    assert len({tuple(row) for row in rounds.tolist()}) == 41
    cuts = ((0, 31), (31, 32), (32, 150), (150, 4100))
    parts = [junk_people.epoch(2, a, b).tokens for a, b in cuts]
    assert np.array_equal(np.concatenate(parts), whole.tokens)
    assert not np.array_equal(junk_people.epoch(3, 0, 100).people, whole.people[:100])


def test_facts_of_a_junk_person_are_the_same_in_every_epoch():
    junk_people = junk(n_junk_people=100).build(0).parts[1]
    found = []
    for number in range(3):
        documents = junk_people.epoch(number, 0, 100)
        found.append(
            dict(zip(documents.people.tolist(), texts(junk_people, documents), strict=True))
        )
    assert found[0] == found[1] == found[2]


def test_paraphrases_are_drawn_for_each_junk_person():
    junk_people = junk(BIOS, n_junk_people=2000).build(0).parts[1]
    documents = junk_people.epoch(0, 0, 2000)
    starts = documents.value_spans[:, :6, 0]
    assert len({tuple(row) for row in np.argsort(starts, axis=1).tolist()}) > 600


def test_facts_of_junk_people_are_uniform():
    junk_people = junk(BIOS, n_junk_people=7000).build(0).parts[1]
    facts = junk_people.population(np.arange(7000)).facts
    for column, n_choices in enumerate(BIOS.fact_choices):
        counts = np.bincount(facts[:, column], minlength=n_choices)
        assert len(counts) == n_choices
        assert stats.chisquare(counts).pvalue > 1e-4


def test_junk_people_have_values_from_the_diversity_sets_of_the_world():
    world, junk_people = junk(n_junk_people=190).build(0).parts
    for attribute in range(3):
        assert (
            values(junk_people, attribute) == diversity_set(attribute) >= values(world, attribute)
        )


def diversity_set(attribute):
    from physlm.data.people.biod import _diversity_set

    words = BIOD._texts.symbols
    drawn = _diversity_set(BIOD, 0, attribute).tolist()
    return {tuple(words[symbol] for symbol in string) for string in drawn}


def values(corpus, attribute):
    documents = corpus.epoch(0, 0, corpus.n_documents)
    spans = documents.value_spans[:, attribute] + documents.starts[:-1, None]
    return {tuple(corpus.vocabulary.decode(documents.tokens[a:b]).split()) for a, b in spans}


def test_memory_of_junk_does_not_grow_with_its_population():
    config = junk(BiosConfig(n_people=50), n_junk_people=100_000_000, junk_fraction=0.875)
    junk_people = config.build(0).parts[1]
    assert len(junk_people.epoch(0, 99_999_000, 100_000_000)) == 1000
    kept = (junk_people.taken, *junk_people.world.sentences.arrays)
    assert sum(array.nbytes for array in kept) < 1e6


@pytest.mark.parametrize("fraction", [0.875, 0.5, 0.05])
def test_windows_have_the_junk_fraction_and_target_people_their_exposures(fraction):
    corpus = junk(junk_fraction=fraction).build(0)
    tokens, ends = windows(corpus)
    n = np.arange(1, len(tokens) + 1)
    assert np.abs(ends[:, -1] - fraction * n).max() <= 1
    assert ends[-1, 0] == 4
    target, _ = windows(corpus.parts[0])
    is_target = np.diff(ends[:, -2], prepend=0) > 0
    assert np.array_equal(tokens[is_target], target)


@pytest.mark.parametrize("fraction", [0.875, 0.3])
@pytest.mark.parametrize("target", [BIOD, BIOS], ids=["biod", "bios"])
def test_mixed_windows_have_the_junk_fraction_exact_to_one_document(target, fraction):
    corpus = junk(
        target,
        junk_fraction=fraction,
        mixes_in_windows=True,
        domain_token="<|u|>",
        junk_token="<|j|>",
    ).build(0)
    stream = stream_of(corpus)
    vocabulary = corpus.vocabulary
    starts = np.flatnonzero(stream == vocabulary.eos)
    documents = np.split(stream, starts[1:])
    is_target = np.array([vocabulary.reserved("<|u|>") in row for row in documents[:-1]])
    lengths = np.array([len(row) for row in documents[:-1]])
    n_junk = (lengths * ~is_target).cumsum()
    assert np.abs(n_junk - fraction * lengths.cumsum()).max() <= lengths.max()
    found = Counter(
        row.tobytes() for row, target in zip(documents, is_target, strict=False) if target
    )
    if target is BIOD:
        assert set(found.values()) == {4}
    assert is_target.sum() == 4 * target.n_people


def stream_of(corpus, seq_len=16):
    tokens, _ = windows(corpus, seq_len)
    stream = np.concatenate([tokens[:1, 0], tokens[:, 1:].ravel()])
    return stream[stream != IGNORED]


def test_mixed_windows_lose_and_change_no_document():
    corpus = junk(junk_fraction=0.6, mixes_in_windows=True).build(0)
    stream = stream_of(corpus)
    documents = {
        row.tobytes()
        for row in np.split(stream[:-1], np.flatnonzero(stream[:-1] == corpus.vocabulary.eos)[1:])
    }
    known = set()
    for part in corpus.parts:
        found = part.epoch(0, 0, part.n_documents)
        known |= {row.tobytes() for row in np.split(found.tokens, found.starts[1:-1])}
    assert documents <= known
    assert len(documents) > 24 + 40


@pytest.mark.parametrize("in_windows", [False, True])
def test_training_resumes_after_any_window(in_windows, monkeypatch):
    monkeypatch.setattr("physlm.data.packing._TOKENS_PER_BLOCK", 200)
    corpus = junk(BIOS, junk_fraction=0.7, mixes_in_windows=in_windows, exposures=2).build(0)
    tokens, ends = windows(corpus)
    assert ends[-1, 0] == 2
    for i in [*range(0, len(tokens) - 1, len(tokens) // 3), len(tokens) - 2]:
        rest, rest_ends = windows(corpus, start=Position.of(ends[i].tolist()))
        assert np.array_equal(rest, tokens[i + 1 :])
        assert np.array_equal(rest_ends, ends[i + 1 :])
    after_all = pack(corpus, 16, Position.of(ends[-1].tolist()))
    assert not any(len(block.tokens) for block in after_all)


@pytest.mark.parametrize("in_windows", [False, True])
def test_the_number_of_tokens_is_known_beforehand(in_windows):
    corpus = junk(junk_fraction=0.8, exposures=20, mixes_in_windows=in_windows).build(0)
    tokens, _ = windows(corpus)
    assert n_tokens(corpus) == pytest.approx((tokens[:, 1:] != IGNORED).sum(), rel=0.05)


@pytest.mark.parametrize("target", [BIOD, BIOS], ids=["biod", "bios"])
def test_domain_tokens_follow_the_end_of_text_and_shift_spans(target):
    marked = junk(target, domain_token="<|a|>", junk_token="<|b|>").build(0)
    plain = junk(target).build(0)
    for part, bare, token in zip(marked.parts, plain.parts, ("<|a|>", "<|b|>"), strict=True):
        documents, without = part.epoch(1, 0, 30), bare.epoch(1, 0, 30)
        number = part.vocabulary.reserved(token)
        assert (documents.tokens[documents.starts[:-1] + 1] == number).all()
        assert texts(part, documents) == [
            text.replace("<|endoftext|>", f"<|endoftext|>{token}") for text in texts(bare, without)
        ]
        assert np.array_equal(documents.value_spans, without.value_spans + 1)
        assert np.array_equal(documents.name_spans, without.name_spans + 1)
    assert marked.parts[0].rendering(0, np.arange(3)).tokens[1] == number_of(marked, "<|a|>")
    assert marked.vocabulary.size == plain.vocabulary.size + 2
    assert marked.fingerprint() != plain.fingerprint()


def number_of(corpus, token):
    return corpus.vocabulary.reserved(token)


def test_documents_without_a_domain_token_are_unchanged():
    world, junk_people = junk(domain_token="<|a|>").build(0).parts
    assert junk_people.domain is None
    assert number_of(junk_people, "<|a|>") not in junk_people.epoch(0, 0, 100).tokens
    assert number_of(world, "<|a|>") in world.epoch(0, 0, 1).tokens
    with pytest.raises(ValueError, match="<|b|> is not in the vocabulary"):
        number_of(world, "<|b|>")


def test_random_junk_has_the_lengths_of_biographies_and_uniform_words():
    junk_people = (
        junk(n_junk_people=190, junk_kind=JunkKind.random, domain_token="<|a|>").build(0).parts[1]
    )
    plain = junk(n_junk_people=190).build(0).parts[1]
    documents = junk_people.epoch(0, 0, 190)
    assert np.array_equal(documents.starts, plain.epoch(0, 0, 190).starts)
    is_word = np.ones(len(documents.tokens), dtype=bool)
    is_word[documents.starts[:-1]] = False
    assert (documents.tokens[~is_word] == junk_people.vocabulary.eos).all()
    counts = np.bincount(documents.tokens[is_word])
    assert len(counts) == junk_people.vocabulary.n_words
    assert stats.chisquare(counts).pvalue > 1e-4
    assert not np.array_equal(documents.tokens, junk_people.epoch(1, 0, 190).tokens)


def test_shuffled_junk_has_the_tokens_of_biographies_in_random_order():
    junk_people = junk(n_junk_people=190, junk_kind=JunkKind.shuffled).build(0).parts[1]
    plain = junk(n_junk_people=190).build(0).parts[1].epoch(0, 0, 190)
    documents = junk_people.epoch(0, 0, 190)
    assert [sorted(t.split()) for t in texts(junk_people, documents)] == [
        sorted(t.split()) for t in texts(junk_people, plain)
    ]
    firsts = documents.tokens[documents.starts[:-1] + 1]
    assert not np.array_equal(firsts, plain.tokens[plain.starts[:-1] + 1])
    whole, part = junk_people.epoch(1, 0, 190), junk_people.epoch(1, 50, 60)
    assert np.array_equal(part.tokens, whole.tokens[whole.starts[50] : whole.starts[60]])


def test_a_junk_fraction_of_0_gives_the_target_people_alone():
    assert not isinstance(junk(junk_fraction=0.0).build(0), Mixture)


def test_settings_of_all_documents_are_refused_in_the_target():
    people = BiodConfig(n_people=50, name_sizes=[16, 16])
    config = JunkConfig(target=people, exposures=2, n_junk_people=100)
    assert config.build(0).n_epochs == 2
    with pytest.raises(ValueError, match=r"target.exposures=9; set data.exposures, which applies"):
        JunkConfig(target=replace(people, exposures=9), exposures=2)
    with pytest.raises(ValueError, match=r"target.seq_len=16; set data.seq_len"):
        JunkConfig(target=replace(people, seq_len=16))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"junk_fraction": 1.0}, "junk_fraction=1.0; must be at least 0 and below 1"),
        ({"junk_fraction": -0.1}, "junk_fraction=-0.1; must be at least 0 and below 1"),
        ({"n_junk_people": 0}, "n_junk_people=0; must be at least 1"),
        ({"domain_token": "target"}, "domain_token=target; must have the form <.name.>"),
        ({"domain_token": "<|endoftext|>"}, "domain_token=.*; must have the form <.name.>"),
        ({"junk_token": "<|a b|>"}, "junk_token=.*; must have the form <.name.>"),
        (
            {"junk_token": "<|b|>", "junk_fraction": 0},
            "junk_token=.*, but junk_fraction=0; leave one",
        ),
    ],
)
def test_values_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        junk(**changes)


def test_shares_that_do_not_sum_to_1_are_refused(biod):
    with pytest.raises(ValueError, match=r"shares=\(0.5, 0.4\) sum to 0.9; must sum to 1"):
        Mixture((biod, biod), (0.5, 0.4))
    with pytest.raises(ValueError, match="for 2 parts; give each a share above 0"):
        Mixture((biod, biod), (1.0,))


def test_entropy_of_junk_people_is_the_closed_form():
    junk_people = junk(n_junk_people=50).build(0).parts[1]
    bits = math.log2(math.comb(6**3 - 24, 50)) + 50 * 3 * 3
    assert junk_people.entropy_bits == pytest.approx(bits)
    assert isinstance(junk_people, JunkPeople)


def test_documents_about_each_person_match_the_frequency_of_the_group():
    corpus = tiny_biod_config(n_people=24, frequencies=[1, 3, 10]).build(0)
    people = corpus.epoch(0, 0, corpus.n_documents).people
    assert np.bincount(people).tolist() == [1] * 8 + [3] * 8 + [10] * 8
    assert corpus.frequencies.tolist() == np.bincount(people).tolist()


@pytest.mark.parametrize(
    ("frequencies", "message"),
    [
        ([], "needs entries of at least 1"),
        ([1, 0], r"frequencies=\[1, 0\]; needs entries of at least 1"),
        ([1] * 25, "has 25 groups for n_people=24"),
    ],
)
def test_frequencies_out_of_range_are_refused(frequencies, message):
    with pytest.raises(ValueError, match=message):
        tiny_biod_config(frequencies=frequencies)


def test_frequencies_with_a_minority_are_refused():
    with pytest.raises(ValueError, match="leave one of them out"):
        BiosConfig(
            n_people=10,
            n_minority=5,
            frequencies=[1, 2],
            minority_augmentation=AugmentationConfig(n_paraphrases=1),
        )
