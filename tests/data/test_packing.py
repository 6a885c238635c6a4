from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physlm.data import packing
from physlm.data.corpus import Documents
from physlm.data.packing import pack
from physlm.data.windows import IGNORED, Position


@dataclass
class Vocabulary:
    eos: int = 0


@dataclass
class ListCorpus:
    """Documents of given lengths; all tokens of an epoch are distinct."""

    lengths: list[int]
    n_epochs: int = 2
    vocabulary = Vocabulary()
    entropy_bits = 0.0

    def fingerprint(self):
        return str(self.lengths)

    @property
    def n_documents(self):
        return len(self.lengths)

    def all_tokens(self, epoch):
        n = sum(self.lengths)
        return np.arange(1, n + 1, dtype=np.int32) + epoch * n

    def epoch(self, number, first, last):
        starts = np.concatenate([[0], np.cumsum(self.lengths)])
        tokens = self.all_tokens(number)[starts[first] : starts[last]]
        return Documents(tokens, starts[first : last + 1] - starts[first])


corpora = st.builds(ListCorpus, st.lists(st.integers(1, 9), min_size=1, max_size=20))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(packing, "_documents_per_block", lambda corpus: 3)


def collect(corpus, seq_len, start=Position()):  # noqa: B008
    blocks = list(pack(corpus, seq_len, start))
    width = seq_len + 1
    tokens = np.concatenate([np.empty((0, width), int), *(b.tokens for b in blocks)])
    return tokens, np.concatenate([np.empty((0, 3), int), *(b.ends for b in blocks)])


@given(corpora, st.integers(1, 12))
def test_every_token_is_a_target_once_and_an_input_once(corpus, seq_len):
    tokens, _ = collect(corpus, seq_len)
    stream = np.concatenate([[*corpus.all_tokens(e), 0] for e in range(corpus.n_epochs)])
    targets, inputs = tokens[:, 1:].ravel(), tokens[:, :-1].ravel()
    first_of_epoch = [corpus.all_tokens(e)[0] for e in range(corpus.n_epochs)]
    expected = [token for token in stream if token not in first_of_epoch]
    assert targets[targets != IGNORED].tolist() == expected
    assert [t for t in inputs if t not in {IGNORED, 0}] == [t for t in stream if t != 0]


@given(corpora, st.integers(1, 12), st.data())
def test_packing_resumes_from_the_end_of_any_window(corpus, seq_len, data):
    tokens, ends = collect(corpus, seq_len)
    i = data.draw(st.integers(0, len(ends) - 1))
    rest, rest_ends = collect(corpus, seq_len, Position.of(ends[i].tolist()))
    assert np.array_equal(rest, tokens[i + 1 :])
    assert np.array_equal(rest_ends, ends[i + 1 :])


@given(corpora, st.integers(1, 12))
def test_positions_count_finished_documents_exactly(corpus, seq_len):
    _, ends = collect(corpus, seq_len)
    starts = np.concatenate([[0], np.cumsum(corpus.lengths)])
    per_epoch = [ends[ends[:, 0] == e] for e in range(corpus.n_epochs)]
    for rows in per_epoch:
        for window, (_, document, token) in enumerate(rows[rows[:, 1:].any(axis=1)], start=1):
            assert starts[document] + token == window * seq_len
            assert token < corpus.lengths[document]
    assert ends[-1].tolist() == [corpus.n_epochs, 0, 0]
