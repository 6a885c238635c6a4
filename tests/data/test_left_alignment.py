"""Left-aligned windows, against a slow loop over documents."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.data import packing
from physlm.data.corpus import Packing
from physlm.data.mixture import Mixture
from physlm.data.packing import n_tokens_in_windows, pack
from physlm.data.people.bios import BiosConfig
from physlm.data.people.junk import JunkConfig
from physlm.data.windows import IGNORED, START, Position
from tests.data.test_packing import ListCorpus, corpora

LEFT = Packing.left_aligned


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(packing, "_documents_per_block", lambda corpus: 3)


@dataclasses.dataclass
class MarkedCorpus(ListCorpus):
    """Every third token is a target."""

    def epoch(self, number, first, last):
        documents = super().epoch(number, first, last)
        return dataclasses.replace(documents, is_target=documents.tokens % 3 == 0)


def collected(corpus, seq_len, start=START):
    blocks = list(pack(corpus, seq_len, start, LEFT))
    tokens = np.concatenate([np.empty((0, seq_len + 1), int), *(b.tokens for b in blocks)])
    return tokens, np.concatenate([np.empty((0, 3), int), *(b.ends for b in blocks)])


def slowly(corpus, seq_len):
    """Windows one by one: documents are added until the window is full, the last one is cut."""
    windows, ends = [], []
    for epoch in range(corpus.n_epochs):
        documents = corpus.epoch(epoch, 0, corpus.n_documents)
        texts = np.split(documents.tokens, documents.starts[1:-1])
        at = 0
        while at < len(texts):
            window = []
            while at < len(texts) and len(window) < seq_len + 1:
                window += texts[at].tolist()
                at += 1
            window = window[: seq_len + 1]
            windows.append(window + [IGNORED] * (seq_len + 1 - len(window)))
            ends.append((epoch + 1, 0, 0) if at == len(texts) else (epoch, at, 0))
    return windows, ends


@settings(max_examples=40)
@given(corpora, st.integers(1, 12))
def test_windows_begin_with_a_new_document_and_cut_the_last(corpus, seq_len):
    tokens, ends = collected(corpus, seq_len)
    windows, positions = slowly(corpus, seq_len)
    assert tokens.tolist() == windows
    assert ends.tolist() == [list(end) for end in positions]


@settings(max_examples=40)
@given(corpora, st.integers(1, 12), st.data())
def test_training_resumes_after_any_window(corpus, seq_len, data):
    tokens, ends = collected(corpus, seq_len)
    i = data.draw(st.integers(0, len(ends) - 1))
    rest, rest_ends = collected(corpus, seq_len, Position.of(ends[i].tolist()))
    assert np.array_equal(rest, tokens[i + 1 :])
    assert np.array_equal(rest_ends, ends[i + 1 :])


@settings(max_examples=40)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 12))
def test_every_target_counts_once_at_most_and_marks_survive(lengths, seq_len):
    plain, _ = collected(ListCorpus(lengths), seq_len)
    marked, _ = collected(MarkedCorpus(lengths), seq_len)
    assert np.array_equal(np.where(marked < -1, -2 - marked, marked), plain)
    targets = marked[marked >= 0]
    assert len(np.unique(targets)) == len(targets)  # all tokens of this corpus are distinct
    assert np.array_equal(targets, plain[(plain >= 0) & (plain % 3 == 0)])


def test_the_number_of_windows_is_estimated():
    rng = np.random.default_rng(0)
    corpus = ListCorpus(rng.integers(1, 9, 1500).tolist(), n_epochs=1)
    tokens, _ = collected(corpus, 20)
    found = n_tokens_in_windows(corpus, 20, LEFT)
    assert found == pytest.approx(20 * len(tokens), rel=0.05)
    short = ListCorpus([3, 4], n_epochs=3)
    assert n_tokens_in_windows(short, 20, LEFT) == 20 * 3


def test_windows_of_a_mixture_are_of_one_part():
    parts = (ListCorpus([4, 5, 3] * 5, n_epochs=1), ListCorpus([2, 7] * 5, n_epochs=1))
    tokens = np.concatenate([b.tokens for b in pack(Mixture(parts, (0.5, 0.5)), 6, START, LEFT)])
    first, second = (collected(dataclasses.replace(part, n_epochs=2), 6)[0] for part in parts)
    n = len(tokens) // 2
    assert np.array_equal(tokens[0::2][:n], first[:n])
    assert np.array_equal(tokens[1::2], second[:n])
    both = Mixture(parts, (0.5, 0.5), is_in_windows=True)
    with pytest.raises(ValueError, match="packing=continuous"):
        next(pack(both, 6, START, LEFT))


def test_windows_of_all_parts_are_refused_before_anything_is_drawn():
    with pytest.raises(ValueError, match="use packing=continuous"):
        JunkConfig(target=BiosConfig(), mixes_in_windows=True, packing=LEFT)
