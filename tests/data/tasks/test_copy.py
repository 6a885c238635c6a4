"""Copy: the string again, and nothing else, is predicted."""

import itertools

import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.tasks.copy import Copy, CopyConfig
from tests.data.tasks.documents import ids


def test_documents_hold_a_uniform_string_twice():
    task = Copy(n_copied=6, n_symbols=5)
    documents = task.sample(np.random.default_rng(0), 500)
    rows = documents.tokens.reshape(500, 14)
    assert (rows[:, 0] == task.bos).all()
    assert (rows[:, 7] == task.mark("<copy>")).all()
    assert np.array_equal(rows[:, 1:7], rows[:, 8:])
    assert chisquare(np.bincount(rows[:, 1:7].ravel())).pvalue > 1e-3
    is_target = documents.is_target.reshape(500, 14)
    assert is_target[:, 8:].all()
    assert not is_target[:, :8].any()
    assert np.array_equal(documents.is_target, task.is_answer(documents.tokens))
    assert task.vocabulary.size == 7
    assert task.chance({}) == pytest.approx(5**-6)


def test_only_the_same_string_is_right():
    task = Copy(n_copied=3, n_symbols=5)
    prompt = ids(task, "bos s1 s5 s1 <copy>")
    assert task.check(prompt, ids(task, "s1 s5 s1"))
    assert not task.check(prompt, ids(task, "s1 s5 s2"))
    assert not task.check(prompt, ids(task, "s1 s5"))


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="n_copied=0"):
        Copy(n_copied=0)
    with pytest.raises(ValueError, match="seq_len=10 is too short .* use 11 or more"):
        CopyConfig(n_copied=5, seq_len=10)


def test_lengths_are_uniform_and_evaluation_takes_the_longest():
    task = Copy(n_copied=7, fewest_copied=3, n_symbols=5)
    documents = task.sample(np.random.default_rng(0), 1000)
    lengths = np.diff(documents.starts) // 2 - 1
    assert chisquare(np.bincount(lengths)[3:]).pvalue > 1e-3
    assert set(lengths) == {3, 4, 5, 6, 7}
    for first, last in itertools.pairwise(documents.starts.tolist()):
        text, n = documents.tokens[first:last], (last - first) // 2 - 1
        assert (text[0], text[n + 1]) == (task.bos, task.mark("<copy>"))
        assert np.array_equal(text[1 : n + 1], text[n + 2 :])
        assert documents.is_target[first:last].tolist() == [False] * (n + 2) + [True] * n
    (evaluation,) = task.evaluations
    longest = task.sample(np.random.default_rng(0), 20, **evaluation.difficulty)
    assert set(np.diff(longest.starts)) == {16}
    assert task.longest == 16


def test_a_shortest_string_longer_than_the_longest_is_refused():
    with pytest.raises(ValueError, match="fewest_copied=8; must be from 1 to n_copied=7"):
        Copy(n_copied=7, fewest_copied=8)
