"""Training texts that are corrupted in part, and what filters keep of them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from physlm.data.brackets.corpus import BracketsConfig
from physlm.data.filtered import FilteredConfig, FilteredCorpus, KeptBy, unfiltered
from physlm.data.sums.corpus import SumsConfig
from physlm.errors import InputError
from physlm.run_directory import RunDirectory
from physlm.run_id import identity

WORLDS = {
    "sums": SumsConfig(modulus=5, n_steps=2, n_texts=40, exposures=3, seq_len=30),
    "brackets": BracketsConfig(n_brackets=8, n_types=3, n_texts=40, exposures=3, seq_len=9),
}
FRACTION = 0.3


def rows(corpus, *given):
    return corpus.epoch(*given).tokens.reshape(-1, corpus.n_tokens)


@pytest.fixture(params=WORLDS)
def worlds(request):
    clean = WORLDS[request.param]
    return clean.build(1), replace(clean, corrupted_fraction=FRACTION).build(1)


def test_corrupted_texts_are_known_and_wrong_and_the_others_stay(worlds):
    clean, corrupted = worlds
    for number in range(3):
        right, texts = rows(clean, number, 0, 40), rows(corrupted, number, 0, 40)
        chosen = corrupted.is_corrupted(number, 0, 40)
        assert 0 < chosen.sum() < 40
        assert np.array_equal((texts != right).any(axis=1), chosen)
        assert np.array_equal(corrupted.are_right(list(texts)), ~chosen)
        assert clean.are_right(list(right)).all()
        assert np.array_equal(rows(corrupted, number, 7, 19), texts[7:19])
    draws = [corrupted.is_corrupted(number, 0, 40) for number in range(3)]
    assert not np.array_equal(draws[0], draws[1])
    assert corrupted.is_corrupted(0, 0, 40_000).mean() == pytest.approx(FRACTION, abs=0.01)
    assert not clean.is_corrupted(0, 0, 40).any()
    assert corrupted.are_right(list(corrupted.held_out(0, 2, "any"))).all()


def test_the_entropy_is_that_of_all_texts_and_ways_enumerated(worlds):
    clean, corrupted = worlds
    for text in rows(clean, 0, 0, 10):
        many = corrupted.corrupted(np.tile(text, (3000, 1)), 5, np.arange(3000))
        found, counts = np.unique(many, axis=0, return_counts=True)
        assert len(found) == round(2**corrupted.corruption_bits)
        assert counts.std() < 5 * math.sqrt(counts.mean())  # equally likely
    ways = np.full(len(found), FRACTION / len(found))
    p = np.outer(np.append(ways, 1 - FRACTION), np.full(clean.n_trained, 1 / clean.n_trained))
    expected = -(p * np.log2(p)).sum() + clean.drawn_bits
    assert corrupted.entropy_bits == pytest.approx(expected)


def test_corruption_changes_the_fingerprint_and_its_absence_no_run_id(worlds):
    clean, corrupted = worlds
    assert clean.fingerprint() != corrupted.fingerprint()
    assert "corrupted_fraction" not in identity(clean.config)
    assert "corrupted_fraction" in identity(corrupted.config)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SumsConfig(corrupted_fraction=1.0), "corrupted_fraction=1.0; must be at least 0"),
        (lambda: BracketsConfig(corrupted_fraction=0.1, n_types=1), "n_types=1: a corrupted text"),
        (lambda: FilteredConfig(kept_fraction=0.0), "kept_fraction=0.0; must be above 0"),
        (lambda: FilteredConfig().build(0), "name it by init_from"),
        (
            lambda: FilteredConfig().follow_run(WORLDS["sums"].build(0), 0, None),
            "set data.corrupted_fraction in init_from",
        ),
    ],
)
def test_what_cannot_be_corrupted_or_filtered_is_refused_in_one_line(build, message):
    with pytest.raises(ValueError, match=message) as refused:
        build()
    assert "\n" not in str(refused.value)


def filtered(corpus, by, scores=None, kept_fraction=0.5):
    return FilteredCorpus(FilteredConfig(by=by, kept_fraction=kept_fraction), corpus, 0, scores)


def test_a_filter_keeps_the_documents_of_the_highest_scores_in_their_order(worlds):
    _, whole = worlds
    scores = np.sin(np.arange(40.0))
    texts, own = rows(whole, 0, 0, 40), filtered(whole, KeptBy.spectra, scores)
    expected = np.sort(np.argsort(scores)[20:])
    assert own.n_documents == 20
    for number, first, last in ((0, 0, 20), (2, 3, 11)):
        kept = own.epoch(number, first, last)
        assert np.array_equal(kept.rows(-1), texts[expected[first:last]])
        truth = whole.is_corrupted(0, 0, 40)[expected[first:last]]
        assert np.array_equal(own.is_corrupted(number, first, last), truth)
    assert unfiltered(own) is whole is unfiltered(whole)


def test_controls_keep_right_documents_random_ones_or_all(worlds):
    _, whole = worlds
    truth, anything, everything = (
        filtered(whole, by) for by in (KeptBy.truth, KeptBy.random, KeptBy.none)
    )
    assert not truth.is_corrupted(0, 0, 20).any()
    assert anything.is_corrupted(0, 0, 20).any()
    assert anything.n_documents == 20
    assert np.array_equal(everything.epoch(0, 0, 40).tokens, whole.epoch(0, 0, 40).tokens)
    assert len({c.fingerprint() for c in (truth, anything, everything)}) == 3


def test_scores_are_those_of_the_finished_run_or_missed_in_one_line(worlds, tmp_path):
    _, whole = worlds
    config = FilteredConfig(by=KeptBy.log_probability)
    before = config.follow_run(whole, 0, tmp_path)  # checked before that run is trained
    assert before.scores is None
    assert before.n_documents == 32
    RunDirectory(tmp_path).record.write_text("{}")
    assert FilteredConfig(by=KeptBy.truth).follow_run(whole, 0, tmp_path).scores is None
    with pytest.raises(InputError):
        config.follow_run(whole, 0, tmp_path)
