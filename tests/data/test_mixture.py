"""Mixtures: shares exact to one window, the first part complete, resumption at any window."""

import itertools

import numpy as np
import pytest

from physlm.data.mixture import Mixture, part_of
from physlm.data.packing import n_tokens, pack
from physlm.data.people.bios import BiosConfig
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.mixed import MixedConfig
from physlm.data.people.qa_split import world_of
from physlm.data.people.questions import QuestionCorpus, QuestionsConfig
from physlm.data.tokens import TokenizerName
from physlm.data.windows import IGNORED, Position

SEQ_LEN = 32


def mixed(fraction=0.8, exposures=3, **questions):
    people = BiosConfig(
        n_people=20, include_question_vocabulary=True, tokenizer=TokenizerName.compact
    )
    return MixedConfig(
        biographies=people,
        questions=QuestionsConfig(**questions),
        seq_len=SEQ_LEN,
        question_fraction=fraction,
        exposures=exposures,
    ).build(0)


def windows(corpus, start=Position()):  # noqa: B008
    blocks = list(pack(corpus, SEQ_LEN, start))
    return (
        np.concatenate([block.tokens for block in blocks]),
        np.concatenate([block.ends for block in blocks]),
    )


def kinds(corpus, tokens):
    """The part of each window: only questions have the word Answer."""
    texts = [corpus.vocabulary.decode(row[row != IGNORED]) for row in tokens]
    return np.array([int("Answer" in text) for text in texts])


@pytest.mark.parametrize("fraction", [0.8, 0.5, 1 / 3, 0.05])
def test_shares_are_exact_to_one_window_at_any_time(fraction):
    corpus = mixed(fraction)
    tokens, ends = windows(corpus)
    so_far = kinds(corpus, tokens).cumsum()
    assert np.abs(so_far - fraction * np.arange(1, len(tokens) + 1)).max() <= 1
    assert np.array_equal(ends[:, -2:].sum(axis=1), np.arange(1, len(tokens) + 1))
    assert np.array_equal(ends[:, -1], so_far)


def test_windows_of_the_first_part_are_those_without_a_mixture():
    corpus = mixed()
    tokens, ends = windows(corpus)
    alone, alone_ends = windows(corpus.parts[0])
    is_first = kinds(corpus, tokens) == 0
    assert np.array_equal(tokens[is_first], alone)
    assert np.array_equal(ends[is_first, :3], alone_ends)


def test_the_second_part_repeats_as_often_as_needed():
    corpus = mixed(fraction=0.9, exposures=20)
    tokens, ends = windows(corpus)
    questions = tokens[kinds(corpus, tokens) == 1]
    assert ends[-1, 3] > corpus.parts[1].n_epochs or ends[-1, 3] > 2
    alone = list(pack_epochs(corpus.parts[1], int(ends[-1, 3]) + 1))
    assert np.array_equal(questions, np.concatenate(alone)[: len(questions)])


def pack_epochs(corpus, n):
    from physlm.data.packing import _continuous

    for epoch in range(n):
        blocks = _continuous(corpus, SEQ_LEN, Position(epoch), corpus.n_documents)
        yield from (block.tokens for block in blocks)


def test_training_resumes_after_any_window():
    corpus = mixed(fraction=0.7)
    tokens, ends = windows(corpus)
    for i in itertools.chain(range(0, len(tokens) - 1, 7), [len(tokens) - 2]):
        rest, rest_ends = windows(corpus, Position.of(ends[i].tolist()))
        assert np.array_equal(rest, tokens[i + 1 :])
        assert np.array_equal(rest_ends, ends[i + 1 :])


def test_a_position_is_restored_from_its_numbers():
    position = Position.of([1, 2, 3, 4, 5, 6, 7, 8])
    assert position == Position(1, 2, 3, (4, 5, 6, 7, 8))
    assert position.numbers == (1, 2, 3, 4, 5, 6, 7, 8)


def test_parts_are_found_by_kind_and_fingerprints_differ():
    corpus = mixed()
    assert isinstance(part_of(corpus, QuestionCorpus), QuestionCorpus)
    assert part_of(corpus, KnowledgeCorpus) is corpus.parts[0] is world_of(corpus)
    assert part_of(corpus.parts[0], QuestionCorpus) is None
    prints = {
        mixed().fingerprint(),
        mixed(fraction=0.7).fingerprint(),
        mixed(train_fraction=0.4).fingerprint(),
        corpus.parts[0].fingerprint(),
    }
    assert len(prints) == 4
    assert isinstance(corpus, Mixture)


def test_the_number_of_tokens_is_known_beforehand():
    corpus = mixed(fraction=0.8)
    tokens, _ = windows(corpus)
    assert n_tokens(corpus) == pytest.approx((tokens[:, 1:] != IGNORED).sum(), rel=0.05)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_shares_leave_windows_for_both(fraction):
    with pytest.raises(ValueError, match="question_fraction=.*; must be above 0 and below 1"):
        MixedConfig(question_fraction=fraction)
